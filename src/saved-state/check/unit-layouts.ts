import { FormatError } from '../../../formats/errors.ts';
import { type UnitHeader, unitLabel } from '../../../formats/ssm/container.ts';
import { codecFor } from '../../../formats/units/table.ts';
import { OBSERVED_LIMIT, type PayloadObserver } from '../reading/payload-observer.ts';

/** Units with an entry for each CPU, and without a count. */
const OF_EACH_CPU = new Set(['em', 'trpm']);

/** Decoded values that 7.2.22 refuses; it is not known which values loaders take. */
const UNUSUAL: ReadonlyMap<string, (value: Record<string, unknown>) => string | undefined> = new Map([
  ['pdm', ({ dma }) => (Number(dma) > 1 ? `a DMA transfer waits, ${dma}` : undefined)],
  ['HWACCM', ({ patches }) => (Number(patches) > 0 ? `${patches} instructions of the guest are patched` : undefined)],
]);

/** Result for a unit. */
interface Judged {
  /** Number of CPUs, where the unit has an entry for each. */
  cpus?: number | undefined;
  /** Reason why its loader cannot be foretold. */
  doubt?: string | undefined;
}

/**
 * Decodes units while their state is read, one at a time, and remembers units that do not fit the known layout of their
 * version: the loader may refuse them, or know more. Units without a known layout are left out.
 */
export class UnitLayouts implements PayloadObserver {
  /** By `name/instance`, in file order. */
  readonly #units = new Map<string, Judged>();

  wants(unit: UnitHeader): boolean {
    return unit.pass === 'final' && codecFor(unit) !== undefined;
  }

  take(unit: UnitHeader, payload: Uint8Array | undefined): void {
    this.#units.set(unitLabel(unit), payload ? judge(unit, payload) : { doubt: `more than ${OBSERVED_LIMIT} bytes` });
  }

  /** Units whose loaders cannot be foretold. @param cpus number of CPUs in unit cpum */
  notJudged(cpus: number | undefined): string[] {
    return [...this.#units].flatMap(([label, { cpus: own, doubt }]) => [
      ...(cpus !== undefined && own !== undefined && own !== cpus
        ? [`the contents of ${label}: ${own} CPUs, of ${cpus} in cpum`]
        : []),
      ...(doubt === undefined ? [] : [`the contents of ${label}: ${doubt}`]),
    ]);
  }
}

function judge({ name, version }: UnitHeader, payload: Uint8Array): Judged {
  try {
    const value: unknown = codecFor({ name, version })?.decode(payload, version);
    return {
      cpus: OF_EACH_CPU.has(name) ? cpusIn(value) : undefined,
      doubt: isRecord(value) ? UNUSUAL.get(name)?.(value) : undefined,
    };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    return { doubt: `not the known layout of version ${version}` };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function cpusIn(value: unknown): number | undefined {
  if (!isRecord(value)) return undefined;
  return Array.isArray(value.cpus) ? value.cpus.length : undefined;
}
