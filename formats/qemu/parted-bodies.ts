import { Writer } from '../binary/writer.ts';
import { hex, UnsupportedError } from '../errors.ts';
import { MAX_TAIL } from './constants.ts';
import { QemuFormatError } from './qemu-error.ts';
import type { StreamBytes } from './stream-bytes.ts';

/** Reads the body of a section, and copies all that it reads. */
class BodyCopy {
  readonly copy = new Writer();
  readonly #bytes: StreamBytes;
  readonly #name: string;
  readonly #limit: number;

  constructor(bytes: StreamBytes, name: string, limit: number) {
    this.#bytes = bytes;
    this.#name = name;
    this.#limit = limit;
  }

  async take(length: number): Promise<Buffer> {
    const { offset } = this.#bytes;
    if (this.copy.length + length > this.#limit)
      throw new UnsupportedError(
        'too-long',
        `Cannot read section "${this.#name}": it has more than ${MAX_TAIL} bytes`,
        {
          offset,
        },
      );
    const piece = Buffer.from(await this.#bytes.copy(length, `section "${this.#name}"`));
    this.copy.bytes(piece);
    return piece;
  }

  async takeName(): Promise<void> {
    await this.take((await this.take(1))[0]);
  }

  async takeSized(): Promise<void> {
    await this.take(Number((await this.take(8)).readBigUInt64BE()));
  }

  refuse(what: string): QemuFormatError {
    const { offset } = this.#bytes;
    return new QemuFormatError('bad-section', `Cannot read section "${this.#name}" at ${hex(offset)}: ${what}`, {
      offset,
    });
  }
}

/** First byte of each chunk of section `dirty-bitmap`. Source: qemu-stream.md 2. */
const BitmapFlag = { LAST: 0x01, ZEROES: 0x02, BITMAP: 0x04, NODE: 0x08, START: 0x10, COMPLETE: 0x20, BITS: 0x40 };
const LONG_FLAGS = 0x80;
/** Granularity and flags of a bitmap; first sector and number of sectors of bits. */
const START_SIZE = 4 + 1;
const BITS_SIZE = 8 + 4;

async function takeBitmaps(body: BodyCopy): Promise<void> {
  for (let flags = 0; (flags & BitmapFlag.LAST) === 0; ) {
    flags = (await body.take(1))[0];
    if (flags & LONG_FLAGS) throw body.refuse(`a chunk of bitmaps has the flags ${hex(flags)}`);
    if (flags & BitmapFlag.NODE) await body.takeName();
    if (flags & BitmapFlag.BITMAP) await body.takeName();
    if (flags & BitmapFlag.START) await body.take(START_SIZE);
    else if (flags & BitmapFlag.COMPLETE) continue;
    else if (flags & BitmapFlag.BITS) {
      await body.take(BITS_SIZE);
      if ((flags & BitmapFlag.ZEROES) === 0) await body.takeSized();
    } else if (flags !== BitmapFlag.LAST) throw body.refuse(`a chunk of bitmaps has the flags ${hex(flags)}`);
  }
}

/** Sizes of the fields of a virtio-mem device: address, bytes of its block, bytes of a unit, node, bytes taken. */
const EARLY_MEMORY = { ends: { block: 16, unit: 24 }, size: 8 + 8 + 8 + 4 + 8 };
const BITS_OF_WORD = 64;

/** Reads the units of virtio-mem's memory that the guest has taken. Source: qemu-stream.md 3. */
async function takeEarlyMemory(body: BodyCopy): Promise<void> {
  const fields = await body.take(EARLY_MEMORY.size);
  const [block, unit] = [EARLY_MEMORY.ends.block, EARLY_MEMORY.ends.unit].map((end) => fields.readBigUInt64BE(end - 8));
  if (unit === 0n || block % unit !== 0n) throw body.refuse(`units of ${unit} bytes in a block of ${block}`);
  await body.take(8 * Math.ceil(Number(block / unit) / BITS_OF_WORD));
}

/** Sections of devices that precede the pages of RAM, by the names that follow the device's place; version 1. */
const EARLY_BODIES: Readonly<Record<string, (body: BodyCopy) => Promise<void>>> = {
  'virtio-mem-device-early': takeEarlyMemory,
};

/** Name of the kind of a device's section, without its place. */
const kindOf = (name: string) => name.slice(name.lastIndexOf('/') + 1);

/** Whether a section of a device can precede the pages of RAM. */
export function isEarly(name: string): boolean {
  return Object.hasOwn(EARLY_BODIES, kindOf(name));
}

/** Sections in parts besides RAM whose bodies tell where they end, all of version 1. */
const BODIES: Readonly<Record<string, (body: BodyCopy) => Promise<void>>> = {
  // Bitmaps of the blocks of disks that have changed since the last backup.
  'dirty-bitmap': takeBitmaps,
  // State of Proxmox's backups of disks.
  'pbs-state': (body) => body.takeSized(),
};
export const PARTED_VERSION = 1;

/** Whether the bodies of a section in parts can be told. */
export function isReadableParted(name: string): boolean {
  return Object.hasOwn(BODIES, name);
}

/** A copy of the body that begins here. @param limit in bytes @throws FormatError, UnsupportedError */
export async function copyPartedBody(bytes: StreamBytes, name: string, limit: number): Promise<Uint8Array> {
  const body = new BodyCopy(bytes, name, limit);
  await (BODIES[name] ?? EARLY_BODIES[kindOf(name)])(body);
  return body.copy.view().slice();
}
