import { FormatError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { codecFor } from '../../../formats/units/table.ts';
import { collectPayloads } from '../reading/collect-units.ts';

/**
 * Units whose bytes are not laid out as savkit knows their version: the loader may refuse them, or know more. Nothing is
 * told of units that savkit does not know, nor of a source that can't be read twice.
 */
export async function unitsLaidOutOtherwise(source: ByteSource, signal?: AbortSignal): Promise<string[]> {
  if (!source.seekable) return [];
  const found: string[] = [];
  for (const [label, { header, payload }] of await collectPayloads(source, { signal })) {
    try {
      codecFor(header)?.decode(payload, header.version);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      found.push(`${label}, what it holds: it is not laid out as version ${header.version} is known to be`);
    }
  }
  return found;
}
