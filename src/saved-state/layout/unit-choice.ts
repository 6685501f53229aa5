import { UsageError } from '../../../formats/errors.ts';
import { unitLabel } from '../../../formats/ssm/container.ts';
import type { NamedRange } from '../reading/memory-region.ts';
import type { UnitSummary } from '../reading/state.ts';
import type { StateView } from '../reading/state-view.ts';

// Finds parts of a state by the names that people give on a command line.

/** A unit by `name`, `name/instance` or `name/instance:pass`; the last one of several passes. @throws UsageError */
export function findUnit({ units }: Pick<StateView, 'units'>, text: string): UnitSummary {
  const { name, instance, pass } = partsOf(units, text);
  const found = units.filter(
    (unit) =>
      unit.name === name &&
      (instance === undefined || unit.instance === instance) &&
      (pass === undefined || String(unit.pass) === pass),
  );
  const last = found[found.length - 1];
  if (last) return last;
  throw unknown('unit', text, [...new Set(units.map(unitLabel))]);
}

/** Takes the text for a unit apart; names of PCI devices have slashes and colons in them: `0000:00:01.1/ide`. */
function partsOf(units: readonly UnitSummary[], text: string): { name: string; instance?: number; pass?: string } {
  if (units.some(({ name }) => name === text)) return { name: text };
  const [, name = text, instance, pass] = /^(.+?)(?:\/(\d+))?(?::(\d+|final))?$/.exec(text) ?? [];
  return {
    name,
    instance: instance === undefined ? undefined : Number(instance),
    pass,
  };
}

/** A ROM by its description, or a part of it. @throws UsageError */
export function findRom(roms: readonly NamedRange[], name: string): NamedRange {
  return findRange('ROM', roms, name);
}

/** An MMIO2 range by its description or `device/instance/region`, mapped or not. @throws UsageError */
export function findMmio2(ranges: readonly NamedRange[], name: string): NamedRange {
  return findRange('MMIO2 range', ranges, name);
}

function findRange(what: string, ranges: readonly NamedRange[], name: string): NamedRange {
  const found =
    ranges.find((range) => range.name === name) ??
    ranges.find(({ key }) => key !== '' && key === name) ??
    only(ranges.filter((range) => range.name.toLowerCase().includes(name.toLowerCase())));
  if (found) return found;
  throw unknown(
    what,
    name,
    ranges.map((range) => range.name),
  );
}

function only<T>(candidates: readonly T[]): T | undefined {
  return candidates.length === 1 ? candidates[0] : undefined;
}

function unknown(what: string, name: string, known: readonly string[]): UsageError {
  const list = known.length > 0 ? `there are: ${known.join(', ')}` : 'there is none';
  return new UsageError('unknown-name', `Cannot find ${what} "${name}": ${list}`);
}
