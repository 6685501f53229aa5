import { type ByteSource, readFrom } from '../../../formats/files/source.ts';
import { isZero } from '../../../formats/kernels/zero.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Turns } from '../../../formats/turns.ts';

/** Zeros of a file, `[start, end)` in bytes. */
export interface ZeroStretch {
  start: number;
  end: number;
}

/** Maximum number of stretches that are listed; a failing disk can leave thousands. */
const MOST = 8;

/**
 * Finds 4 KiB blocks of zeros, at multiples of 4 KiB, together with zeros on both sides of them. File systems leave
 * such blocks if the host crashed before a save had written them, or if a copy has lost them; no whole state has any,
 * since pages of zeros take no room in it. Gives nothing for sources that cannot be read twice.
 * @throws InterruptedError
 */
export async function zeroStretches(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<{ stretches: ZeroStretch[]; further: number }> {
  const stretches: ZeroStretch[] = [];
  let further = 0;
  if (source.seekable) {
    for await (const stretch of blocksOfZeros(source, Turns.rare(signal))) {
      if (stretches.length < MOST) stretches.push(await withNeighbours(source, stretch));
      else further++;
    }
  }
  return { stretches, further };
}

async function* blocksOfZeros(source: ByteSource, turns: Turns): AsyncGenerator<ZeroStretch> {
  const { size = MIB } = source;
  const piece = new Uint8Array(Math.min(MIB, Math.ceil(size / PAGE_SIZE) * PAGE_SIZE));
  let start: number | undefined;
  let at = 0;
  for (let count = await readFrom(source, piece, 0); count > 0; count = await readFrom(source, piece, at)) {
    if (turns.areDue) await turns.give();
    for (let block = 0; block < count; block += PAGE_SIZE) {
      const isWhole = block + PAGE_SIZE <= count;
      // A last block that is not whole cannot begin a stretch, only end one.
      const counts = isWhole || start !== undefined;
      if (counts && isZero(piece, block, Math.min(PAGE_SIZE, count - block))) start ??= at + block;
      else if (start !== undefined) {
        yield { start, end: at + block };
        start = undefined;
      }
    }
    at += count;
  }
  if (start !== undefined) yield { start, end: at };
}

async function withNeighbours(source: ByteSource, { start, end }: ZeroStretch): Promise<ZeroStretch> {
  const block = new Uint8Array(PAGE_SIZE);
  const from = Math.max(0, start - PAGE_SIZE);
  const before = block.subarray(0, await source.read(block.subarray(0, start - from), from));
  const zerosBefore = before.length - 1 - before.findLastIndex((byte) => byte !== 0);
  const after = block.subarray(0, await source.read(block, end));
  const first = after.findIndex((byte) => byte !== 0);
  return { start: start - zerosBefore, end: end + (first < 0 ? after.length : first) };
}
