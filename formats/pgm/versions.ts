/** Properties in which versions of the pgm unit differ. Code asks a property, never a version number. */
export interface PgmVersion {
  /** Version number, as in the unit's header. */
  readonly version: number;
  /** Releases of VirtualBox that wrote it, for people. */
  readonly writtenBy: string;
  /** Layout of the basic part. */
  readonly basic: 'one-cpu-unmarked' | 'one-cpu' | 'per-cpu';
  /** Form in which pages are stored. */
  readonly pages: 'chunks' | 'typed-ranges' | 'records';
  /** A list of guest mappings follows the basic part. */
  readonly mappings: boolean;
  /** RAM ranges carry a description. */
  readonly rangeDescriptions: boolean;
  /** The config block starts with hole and RAM size. */
  readonly ramConfig: boolean;
  /** `RAM_BALLOONED` records are written. Today's loaders accept them in any version with records. */
  readonly balloonRecords: boolean;
}

const old = { mappings: true, rangeDescriptions: true, ramConfig: false, balloonRecords: false } as const;
const records = {
  basic: 'per-cpu',
  pages: 'records',
  mappings: true,
  rangeDescriptions: false,
  ramConfig: true,
} as const;

// Source: PGMSavedState.cpp, PGM_SAVED_STATE_VERSION and its older names.
export const PGM_VERSIONS: readonly PgmVersion[] = [
  {
    ...old,
    version: 6,
    writtenBy: '1.6.0 – 2.1.x',
    basic: 'one-cpu-unmarked',
    pages: 'chunks',
    rangeDescriptions: false,
  },
  { ...old, version: 7, writtenBy: '2.2.0', basic: 'one-cpu', pages: 'typed-ranges' },
  { ...old, version: 8, writtenBy: '2.2.2, 2.2.4', basic: 'one-cpu', pages: 'typed-ranges' },
  { ...old, version: 9, writtenBy: '3.0.x', basic: 'per-cpu', pages: 'typed-ranges' },
  { ...records, version: 10, writtenBy: '3.1 development', ramConfig: false, balloonRecords: false },
  { ...records, version: 11, writtenBy: '3.1.x', balloonRecords: false },
  { ...records, version: 12, writtenBy: '3.2.0 – 3.2.12, 4.0.0 – 4.0.4', balloonRecords: false },
  {
    ...records,
    version: 13,
    writtenBy: '3.2.14 and later 3.2, 4.0.6 and later 4.0, 4.1.0 – 4.1.2',
    balloonRecords: true,
  },
  { ...records, version: 14, writtenBy: '4.1.4 – 7.2.22', balloonRecords: true, mappings: false },
];

export const NEWEST_PGM = PGM_VERSIONS[PGM_VERSIONS.length - 1];

/** First version with `cBalloonedPages`. */
export const SINCE_BALLOON_COUNT = 12;
/** First version with the PAE page-directory addresses. */
export const SINCE_PAE_PDS = 14;

export function pgmVersion(version: number): PgmVersion | undefined {
  return PGM_VERSIONS.find((row) => row.version === version);
}
