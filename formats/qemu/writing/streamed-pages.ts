import { isZero } from '../../kernels/zero.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { RamFlag } from '../constants.ts';
import type { RamBlock } from '../ram-blocks.ts';
import type { BigEndianOutput } from './big-endian-output.ts';
import type { PageWriter, WritablePage } from './page-writer.ts';

/** Bytes of the longest record: the word with address and flags, a name, a page. */
const MAX_RECORD = 8 + 1 + 255 + PAGE_SIZE;

/** Pages as records of a plain stream, in the order of arrival. Source: qemu-stream.md 3. */
export class StreamedPages implements PageWriter {
  readonly #out: BigEndianOutput;
  #block: RamBlock | undefined;

  constructor(out: BigEndianOutput) {
    this.#out = out;
  }

  put(block: RamBlock, offset: number, content: WritablePage | undefined, i: number): Promise<void> | undefined {
    const out = this.#out;
    const head = out.length;
    this.#putHead(block, offset, RamFlag.PAGE);
    content?.decode(i, out.target, out.length);
    if (content && !isZero(out.target, out.length, PAGE_SIZE)) out.length += PAGE_SIZE;
    else {
      out.target[head + 7] ^= RamFlag.PAGE ^ RamFlag.FILL;
      out.u8(0);
    }
    return out.hasRoom(MAX_RECORD) ? undefined : out.flush();
  }

  async finish(): Promise<void> {}

  #putHead(block: RamBlock, offset: number, flag: number): void {
    const isSame = block === this.#block;
    this.#out.u64(offset + flag + (isSame ? RamFlag.SAME_BLOCK : 0));
    if (!isSame) this.#out.name(block.name);
    this.#block = block;
  }
}
