import { inflateSync } from 'node:zlib';
import { hex, UnsupportedError } from '../../errors.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { RamFlag } from '../constants.ts';
import { QemuFormatError } from '../qemu-error.ts';
import type { RamBlock } from '../ram-blocks.ts';

const KINDS =
  RamFlag.FILL |
  RamFlag.BLOCK_LIST |
  RamFlag.PAGE |
  RamFlag.END |
  RamFlag.XBZRLE |
  RamFlag.COMPRESSED |
  RamFlag.MULTIFD_FLUSH;

/** @param problem a few words @param says QEMU's message, if it has one */
export function badRecord(offset: number, problem: string, says?: string): QemuFormatError {
  return new QemuFormatError('bad-page', `Cannot read RAM record at ${hex(offset)}: ${problem}`, { offset }, says);
}

/** A record of a page beyond the end of its block. */
export function outsideBlock(offset: number, { name, size }: RamBlock, address: number): QemuFormatError {
  const problem = `page ${hex(address)} of block ${JSON.stringify(name)}, which has ${hex(size)} bytes`;
  return badRecord(offset, problem, `Illegal RAM offset ${address.toString(16)}`);
}

/** A record whose flags savkit cannot read. */
export function badFlags(offset: number, flags: number): QemuFormatError | UnsupportedError {
  if (flags & RamFlag.HOOK) {
    const message = `Cannot read RAM record at ${hex(offset)}: it belongs to a migration over RDMA`;
    return new UnsupportedError('rdma', message, { offset });
  }
  const problem = flags & ~(KINDS | RamFlag.SAME_BLOCK) ? 'are unknown' : 'exclude each other';
  return badRecord(offset, `flags ${hex(flags)} ${problem}`, `Unknown combination of migration flags: ${hex(flags)}`);
}

/** @throws QemuFormatError where the bytes are no page compressed by zlib */
export function inflatePage(bytes: Uint8Array, offset: number): Uint8Array {
  try {
    const content = inflateSync(bytes, { maxOutputLength: PAGE_SIZE });
    if (content.length === PAGE_SIZE) return content;
  } catch {
    // Any fault of the data becomes the error below.
  }
  throw new QemuFormatError('bad-compression', `Cannot decompress page at ${hex(offset)}: the zlib data is damaged`, {
    offset,
  });
}
