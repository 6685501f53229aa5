import { FormatError, UnsupportedError, UsageError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { chosenFrom } from '../../formats/values/chosen-from.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import type { HostBacking } from '../pgm/pages/host-backing.ts';
import type { PgmSummary, SavedState } from '../saved-state/reading/state.ts';
import { type WalkOptions, walkState } from '../saved-state/reading/walk.ts';
import { type BuiltMemory, buildMemory } from './build-memory.ts';
import { Machine } from './machine.ts';
import { CONTENTS, type Contents, MemoryFiller } from './memory-filler.ts';
import { UnitCollector } from './unit-collector.ts';

/** Options of loading. */
export interface LoadOptions extends Pick<WalkOptions, 'signal'> {
  /** Source of memory for the pages; default: a host of this process. */
  backing?: HostBacking;
  /** For untrusted states: most bytes of RAM, ROMs and device memory together. Checked before any is allocated. */
  maxMemory?: number;
  /** Bytes that the state's units besides memory may have when they are expanded; 256 MiB by default. */
  maxUnitBytes?: number;
  /** Use of the contents of pages; `kept` by default. */
  contents?: Contents;
  /** Called with the file offset reached, in each of two readings. */
  onProgress?: (doing: 'checking' | 'loading', offset: number) => void;
}

/** Units other than memory hold device states and a screenshot: some MiB. */
const MAX_UNIT_BYTES = 256 * MIB;

/**
 * Builds a machine from a saved state of any container and any version of the pgm unit. Live passes are merged into one
 * memory.
 *
 * @param source seekable: the whole state is checked before it is loaded
 * @throws FormatError for damage, UnsupportedError for states that no machine can be built from, UsageError
 * `not-seekable`
 */
export async function loadState(source: ByteSource, options: LoadOptions = {}): Promise<Machine> {
  if (!source.seekable)
    throw new UsageError('not-seekable', `Cannot load ${source.name}: it has to be read twice, so it must be a file`);
  const { backing, maxMemory, maxUnitBytes = MAX_UNIT_BYTES, contents = 'kept', onProgress, ...walk } = options;
  chosenFrom('contents', contents, CONTENTS);
  const reading = (doing: 'checking' | 'loading') =>
    onProgress ? { ...walk, onProgress: (offset: number) => onProgress(doing, offset) } : walk;
  const state = await walkState(source, reading('checking'));
  const built = buildAsTold(state, expectMemoryUnit(state), { backing, maxMemory });
  const units = new UnitCollector(maxUnitBytes);
  const filler = new MemoryFiller(built, contents, leavesPagesOut(built.memory, state));
  try {
    await walkState(source, {
      ...reading('loading'),
      skipCrc: true,
      sink: filler,
      payload: units,
      onUnit: units.begin,
    });
  } finally {
    filler.end();
  }
  protectRoms(built, expectMemoryUnit(state).romProtection);
  built.memory.handlers.reapply();
  return new Machine(built.memory, state, units.units);
}

/** Whether a state leaves out some pages of RAM: loaders leave them zero. */
export function leavesPagesOut({ ranges }: GuestMemory, { pgm }: SavedState): boolean {
  return ranges.all.reduce((sum, { kind, pages }) => (kind === 'ram' ? sum + pages : sum), 0) > (pgm?.ramPages ?? 0);
}

/** @throws UnsupportedError for a state without memory */
export function expectMemoryUnit({ pgm }: SavedState): PgmSummary {
  if (!pgm?.basic)
    throw new UnsupportedError('no-memory-unit', 'Cannot load state: it has no final pgm unit, and so no memory');
  return pgm;
}

/** Builds memory; errors for parts that do not fit together become errors of the file. */
function buildAsTold(...told: Parameters<typeof buildMemory>): BuiltMemory {
  try {
    return buildMemory(...told);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new FormatError(
      'bad-pgm',
      `Cannot load state: its memory does not fit together: ${error.message}`,
      error.place,
      error.vboxCode,
    );
  }
}

/** Sets the final protections, after all records, which may have any order. */
function protectRoms({ memory, romPage }: BuiltMemory, protections: ReadonlyMap<number, Uint8Array>): void {
  for (const [id, pages] of protections) {
    for (const [page, protection] of pages.entries()) {
      const place = protection > 0 ? romPage(id, page) : undefined;
      if (place && place.page < place.rom.pages)
        memory.roms.protect(place.rom.start + place.page * PAGE_SIZE, PAGE_SIZE, protection);
    }
  }
  for (const rom of memory.roms.all) rom.writtenTo.fill(0);
}
