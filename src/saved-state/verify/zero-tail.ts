import type { ByteSource } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';

/** A page that stands in a state as it is may end in as many zeros. */
const SMALLEST = PAGE_SIZE;

/**
 * Where the zeros begin that go to the end of a file: what a save had not written when the host crashed, or a copy had
 * not. Undefined where there are none to speak of, and for sources that can't be read backwards.
 * @throws InterruptedError
 */
export async function zeroTail(source: ByteSource, signal?: AbortSignal): Promise<number | undefined> {
  const { size } = source;
  if (!source.seekable || size === undefined) return undefined;
  const turns = Turns.rare(signal);
  const piece = new Uint8Array(MIB);
  let start = size;
  for (let isTail = true; isTail && start > 0; ) {
    if (turns.areDue) await turns.give();
    const from = Math.max(0, start - piece.length);
    const bytes = piece.subarray(0, await source.read(piece.subarray(0, start - from), from));
    isTail = isZero(bytes);
    start = isTail ? from : from + bytes.findLastIndex((byte) => byte !== 0) + 1;
  }
  return size - start > SMALLEST ? start : undefined;
}
