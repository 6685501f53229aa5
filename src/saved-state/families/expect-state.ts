import { NotAStateError } from '../../../formats/errors.ts';
import { peek } from '../../../formats/files/peeked-source.ts';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { HEAD_SIZE, qemuContainerOf } from '../../../formats/qemu/containers/open.ts';
import { KIB } from '../../../formats/sizes.ts';
import { openContainer } from '../../../formats/ssm/open.ts';

/** Bytes within which the first units of a state begin, even if its first bytes are damaged. */
const SIGHT = 128 * KIB;

/**
 * Refuses a file that was never a state by its first bytes, before more is unpacked or copied, since it may have no
 * end.
 * @returns the same bytes @throws NotAStateError
 */
export async function expectState(whole: ByteSource): Promise<ByteSource> {
  const { head, source } = await peek(whole, SIGHT);
  if (qemuContainerOf(head.subarray(0, HEAD_SIZE)) || isZero(head)) return source;
  const start = { ...bufferSource(head, whole.name), size: undefined, seekable: false };
  try {
    const container = await openContainer(start, () => {});
    container.release();
  } catch (error) {
    // All else is judged with the whole file at hand.
    if (error instanceof NotAStateError) throw error;
  }
  return source;
}
