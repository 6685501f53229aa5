import { FormatError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { codecFor } from '../../../formats/units/table.ts';
import { collectPayloads } from '../reading/collect-units.ts';

/** Units with an entry for each CPU, and without a count. */
const OF_EACH_CPU = new Set(['em', 'trpm']);

/** Decoded values that 7.2.22 refuses; it is not known which values loaders take. */
const UNUSUAL: ReadonlyMap<string, (value: Record<string, unknown>) => string | undefined> = new Map([
  ['pdm', ({ dma }) => (Number(dma) > 1 ? `a DMA transfer waits, ${dma}` : undefined)],
  ['HWACCM', ({ patches }) => (Number(patches) > 0 ? `${patches} instructions of the guest are patched` : undefined)],
]);

/**
 * Units whose bytes do not fit the layout that savkit knows for their version: the loader may refuse them, or know
 * more. Units without a known layout are left out, and so is a source that can't be read twice.
 */
export async function unitsLaidOutOtherwise(
  source: ByteSource,
  { cpus, signal }: { cpus?: number; signal?: AbortSignal },
): Promise<string[]> {
  if (!source.seekable) return [];
  const found: string[] = [];
  for (const [label, { header, payload }] of await collectPayloads(source, { signal })) {
    try {
      const value: unknown = codecFor(header)?.decode(payload, header.version);
      const own = OF_EACH_CPU.has(header.name) ? cpusIn(value) : undefined;
      if (cpus !== undefined && own !== undefined && own !== cpus) {
        found.push(`${label}, what it holds: ${own} CPUs, of ${cpus} in cpum`);
      }
      const unusual = isRecord(value) ? UNUSUAL.get(header.name)?.(value) : undefined;
      if (unusual !== undefined) found.push(`${label}, what it holds: ${unusual}`);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      found.push(`${label}, what it holds: it is not laid out as version ${header.version} is known to be`);
    }
  }
  return found;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function cpusIn(value: unknown): number | undefined {
  if (!isRecord(value)) return undefined;
  return Array.isArray(value.cpus) ? value.cpus.length : undefined;
}
