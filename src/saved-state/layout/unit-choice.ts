import { UsageError } from '../../../formats/errors.ts';
import { unitLabel } from '../../../formats/ssm/container.ts';
import type { SavedState, UnitSummary } from '../reading/state.ts';
import { type MemoryRegion, memoryMap, mmio2Address } from './memory-map.ts';

// Finds parts of a state by the names that people give on a command line.

/** A unit by `name`, `name/instance` or `name/instance:pass`; of several passes the last one. @throws UsageError */
export function findUnit(state: SavedState, text: string): UnitSummary {
  const match = /^(.+?)(?:\/(\d+))?(?::(\d+|final))?$/.exec(text);
  const [, name, instance, pass] = match ?? [];
  const found = state.units.filter(
    (unit) =>
      unit.name === name &&
      (instance === undefined || unit.instance === Number(instance)) &&
      (pass === undefined || String(unit.pass) === pass),
  );
  const last = found[found.length - 1];
  if (last) return last;
  throw unknown('unit', text, [...new Set(state.units.map(unitLabel))]);
}

/** A ROM by its description. @throws UsageError */
export function findRom(state: SavedState, name: string): MemoryRegion {
  const roms = memoryMap(state).filter(({ kind }) => kind === 'rom');
  const found =
    roms.find((rom) => rom.name === name) ??
    only(roms.filter((rom) => rom.name.toLowerCase().includes(name.toLowerCase())));
  if (found) return found;
  throw unknown(
    'ROM',
    name,
    roms.map((rom) => rom.name),
  );
}

/** An MMIO2 range by its description or `device/instance/region`, mapped or not. @throws UsageError */
export function findMmio2(state: SavedState, name: string): MemoryRegion {
  const ranges = mmio2Ranges(state);
  const found =
    ranges.find((range) => range.name === name) ??
    ranges.find((range) => range.key === name) ??
    only(ranges.filter((range) => range.name.toLowerCase().includes(name.toLowerCase())));
  if (found) return found;
  throw unknown(
    'MMIO2 range',
    name,
    ranges.map((range) => range.name),
  );
}

export interface Mmio2Range extends MemoryRegion {
  /** `device/instance/region`; empty for versions 6 to 9, which don't tell. */
  key: string;
  /** Whether `start` is where the guest had it mapped. */
  isMapped: boolean;
}

/** All MMIO2 ranges; those that are not mapped start at 0. */
export function mmio2Ranges(state: SavedState): Mmio2Range[] {
  if (!state.pgm?.config)
    return memoryMap(state)
      .filter(({ kind }) => kind === 'mmio2')
      .map((region) => ({ ...region, key: '', isMapped: true }));
  return state.pgm.config.mmio2.map((range) => {
    const start = mmio2Address(state, range);
    const key = `${range.device}/${range.instance}/${range.region}`;
    return {
      kind: 'mmio2',
      start: start ?? 0,
      end: (start ?? 0) + range.size,
      name: range.description,
      id: range.id,
      firstPage: 0,
      key,
      isMapped: start !== undefined,
    };
  });
}

function only<T>(candidates: readonly T[]): T | undefined {
  return candidates.length === 1 ? candidates[0] : undefined;
}

function unknown(what: string, name: string, known: readonly string[]): UsageError {
  const list = known.length > 0 ? `there are: ${known.join(', ')}` : 'there is none';
  return new UsageError('unknown-name', `Cannot find ${what} "${name}": ${list}`);
}
