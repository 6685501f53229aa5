import { FormatError } from '../../formats/errors.ts';
import { expandedSource } from '../../formats/files/expanded-source.ts';
import { PACKING_HEAD_SIZE, packingOf } from '../../formats/files/packings.ts';
import { peek } from '../../formats/files/peeked-source.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { KIB } from '../../formats/sizes.ts';
import { UNIT_MAGIC } from '../../formats/ssm/layouts.ts';

/**
 * Unpacked contents of a packed file, front to back; any other file as it is. Closing the result leaves `packed` open.
 * @throws FormatError `bad-compression`, UnsupportedError `no-program`, EnvironmentError
 */
export async function unpacked(packed: ByteSource): Promise<ByteSource> {
  const { head, source } = await peek(packed, PACKING_HEAD_SIZE);
  const packing = packingOf(head);
  if (packing === undefined) return source;
  const expanded = expandedSource(source, 0, packing);
  try {
    // The source has another name than the file, since its contents differ from the file and must not replace it.
    return { ...(await peek(expanded, 1)).source, name: `${packed.name}, unpacked` };
  } catch (error) {
    await expanded.close();
    if (error instanceof FormatError && (await hasUnits(source))) return source;
    throw error;
  }
}

/** Whether a file with the signature of a packed one holds units: a state whose first bytes were overwritten. */
async function hasUnits(source: ByteSource): Promise<boolean> {
  if (!source.seekable) return false;
  const { head } = await peek(source, 64 * KIB);
  return Buffer.from(head).includes(UNIT_MAGIC, 0, 'latin1');
}
