import type { PgmBasic, PgmConfig } from '../../../formats/pgm/head.ts';
import { isRam } from '../../../formats/pgm/page-batch.ts';
import { DEFAULT_RAM_HOLE } from '../../../formats/pgm/ranges.ts';
import { NEWEST_PGM, type PgmVersion, pgmVersion } from '../../../formats/pgm/versions.ts';
import { configOf } from '../convert/plan.ts';
import { deriveLayout, type MachineLayout } from '../layout/machine-layout.ts';
import { placesOf } from '../layout/range-map.ts';
import type { SavedState } from '../reading/state.ts';

/** Target for writing damaged pgm units anew. */
export interface SalvageTarget {
  version: PgmVersion;
  basic?: PgmBasic;
  config?: PgmConfig;
  /** Range id and page of a source page in the target; undefined for a page without a place there. */
  placeOf(kind: number, id: number, page: number): { id: number; page: number } | undefined;
}

/**
 * The target for a state's damaged pgm units. It has the state's version, or the newest one for versions 6 to 9, which
 * list all pages in order without addresses, so that none can be left out.
 * @returns undefined for unknown versions, and for plain states whose list of ROMs and device memory is lost
 */
export function targetOf(state: SavedState, given?: MachineLayout): SalvageTarget | undefined {
  const { pgm } = state;
  const version = pgm && pgmVersion(pgm.version);
  if (!version) return undefined;
  const basic = pgm.basic ? { basic: pgm.basic } : {};
  if (version.pages === 'records') {
    if (!pgm.config) return state.header.live ? { version, ...basic, ...onlyRam(state) } : undefined;
    return { version, ...basic, config: pgm.config, placeOf: (_kind, id, page) => ({ id, page }) };
  }
  const layout = given ?? deriveLayout(state).layout;
  const find = placesOf(state, layout);
  return {
    version: NEWEST_PGM,
    ...basic,
    config: configOf(pgm, layout),
    placeOf: (kind, id, page) => {
      if (isRam(kind)) return { id, page };
      const place = find(kind, id, page);
      return place && { id: place.index + 1, page: place.page };
    },
  };
}

/**
 * Target for live passes whose lists of ROMs and device memory are lost: only RAM records can be placed, since they
 * have addresses.
 */
function onlyRam({ pgm, mm }: SavedState): Pick<SalvageTarget, 'config' | 'placeOf'> {
  const ramSize = pgm?.ramSize ?? mm?.ramSize;
  const config = ramSize === undefined ? {} : { config: { ramSize, ramHole: DEFAULT_RAM_HOLE, roms: [], mmio2: [] } };
  return { ...config, placeOf: (kind, id, page) => (isRam(kind) ? { id, page } : undefined) };
}
