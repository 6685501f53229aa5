import { pipeline, Readable } from 'node:stream';
import { createInflate } from 'node:zlib';
import { Cursor } from '../binary/cursor.ts';
import { FormatError, hex, UnsupportedError } from '../errors.ts';
import { type ByteSource, readFrom, streamSource } from '../files/source.ts';
import { truncated, Window } from '../files/window.ts';
import { blockHeaderV1 } from './layouts.ts';
import { Encoding, SegmentTable } from './segments.ts';

// The compressor stream of a V1.x unit (ssm-container.md 2.4). Source: zip.cpp, RTZIPTYPE, RTZIPLZFHDR.

export const ZipType = { STORE: 2, ZLIB: 3, LZF: 5 } as const;
export const BLOCK_MAGIC = 0x565a;
export const BLOCK_HEADER_SIZE = blockHeaderV1.size();
export const MAX_BLOCK_DATA = 16374;
export const MAX_BLOCK_DECODED = 32768;

/** Turns the payload of one V1.x unit, from the window's position to the unit's end, into segments. */
export class PayloadStream {
  segments: SegmentTable;
  readonly #window: Window;
  readonly #end: number;
  /** Undefined before it is read. */
  #type: number | undefined;
  /** Type 3 only: a window for the inflated bytes. */
  #inflated: Window | undefined;

  constructor(window: Window, segments: SegmentTable, end: number) {
    this.#window = window;
    this.segments = segments;
    this.#end = end;
  }

  /** Fills `segments`; false at the unit's end. */
  async next(): Promise<boolean> {
    const window = this.#window;
    this.segments.count = 0;
    if (this.#inflated) return this.#nextInflated(this.#inflated);
    if (window.offset >= this.#end) return false;
    if (this.#type === undefined) {
      await window.need(1, 'compressor type');
      this.#type = window.bytes[window.position++];
    }
    if (this.#type === ZipType.ZLIB) return this.#startInflating();
    if (this.#type === ZipType.LZF) return this.#nextBlocks();
    if (this.#type === ZipType.STORE) return this.#nextStored();
    const offset = window.offset - 1;
    throw new FormatError(
      'bad-compression',
      `Cannot decompress unit at ${hex(offset)}: compressor type ${this.#type}, expected 2, 3 or 5`,
      { offset },
    );
  }

  async #nextBlocks(): Promise<boolean> {
    const window = this.#window;
    const table = this.segments;
    while (table.count < table.capacity && window.offset < this.#end) {
      const size = this.#sizeOrDamage(table.count > 0);
      if (size !== undefined) {
        const header = blockHeaderV1.read(new Cursor(window.bytes, window.position));
        table.add(Encoding.LZF, window.position + BLOCK_HEADER_SIZE, header.size, header.decodedSize);
        window.position += size;
        continue;
      }
      if (table.count > 0) break;
      if (window.ended) throw truncated('compressed block', window.offset, BLOCK_HEADER_SIZE, window.available);
      await window.refill();
    }
    return table.count > 0;
  }

  /** Size of the next block; undefined before a damaged one, if good blocks have to be handed out first. */
  #sizeOrDamage(hasBlocks: boolean): number | undefined {
    try {
      return this.#blockSize();
    } catch (error) {
      if (hasBlocks) return undefined;
      throw error;
    }
  }

  /** Size of the block at the window's position; undefined where the window does not hold all of it. */
  #blockSize(): number | undefined {
    const window = this.#window;
    const { offset } = window;
    const left = this.#end - offset;
    if (left < BLOCK_HEADER_SIZE) throw badBlock(offset, `${left} bytes are left of the unit`);
    if (window.available < BLOCK_HEADER_SIZE) return undefined;
    const { magic, size, decodedSize } = blockHeaderV1.read(new Cursor(window.bytes, window.position));
    if (magic !== BLOCK_MAGIC) throw badBlock(offset, `its magic is ${hex(magic)}, expected ${hex(BLOCK_MAGIC)}`);
    if (size < 1 || size > MAX_BLOCK_DATA || BLOCK_HEADER_SIZE + size > left)
      throw badBlock(offset, `it claims ${size} bytes of data`);
    if (decodedSize < 1 || decodedSize > MAX_BLOCK_DECODED)
      throw badBlock(offset, `it claims ${decodedSize} bytes after decompression`);
    return window.available < BLOCK_HEADER_SIZE + size ? undefined : BLOCK_HEADER_SIZE + size;
  }

  async #nextStored(): Promise<boolean> {
    const window = this.#window;
    if (window.offset >= this.#end) return false;
    await window.need(1, 'stored unit');
    const length = Math.min(window.available, this.#end - window.offset);
    this.segments.add(Encoding.RAW, window.position, length, length);
    window.position += length;
    return true;
  }

  /** Inflates into a separate window; the file's window skips the unit later, for the file's CRC. */
  #startInflating(): Promise<boolean> {
    const { source, offset } = this.#window;
    if (!source.seekable)
      throw new UnsupportedError(
        'zlib-on-pipe',
        `Cannot decompress unit at ${hex(offset)}: zlib units can be read from files only, not from a pipe`,
        {
          offset,
        },
      );
    const inflate = pipeline(Readable.from(readRange(source, offset, this.#end)), createInflate(), () => {});
    this.#inflated = new Window(streamSource(inflate, 'inflated unit'));
    const { payloadSize } = this.segments;
    this.segments = new SegmentTable(this.#inflated);
    this.segments.payloadSize = payloadSize;
    return this.#nextInflated(this.#inflated, offset);
  }

  async #nextInflated(inflated: Window, offset = this.#window.offset): Promise<boolean> {
    inflated.position = inflated.end;
    try {
      if (!inflated.ended) await inflated.refill();
    } catch {
      throw new FormatError('bad-compression', `Cannot decompress unit at ${hex(offset)}: the zlib data is damaged`, {
        offset,
      });
    }
    if (inflated.available === 0) return false;
    this.segments.add(Encoding.RAW, inflated.position, inflated.available, inflated.available);
    return true;
  }

  release(): void {
    this.#inflated?.release();
  }

  /** Ends inflating in the background. */
  async close(): Promise<void> {
    await this.#inflated?.source.close();
    this.release();
  }
}

const ZLIB_CHUNK = 64 * 1024;

async function* readRange(source: ByteSource, start: number, end: number): AsyncGenerator<Uint8Array> {
  for (let position = start; position < end; ) {
    const chunk = new Uint8Array(Math.min(ZLIB_CHUNK, end - position));
    const count = await readFrom(source, chunk, position);
    if (count === 0) return;
    yield chunk.subarray(0, count);
    position += count;
  }
}

function badBlock(offset: number, what: string): FormatError {
  return new FormatError(
    'bad-block',
    `Cannot read compressed block at ${hex(offset)}: ${what}`,
    { offset },
    'VERR_GENERAL_FAILURE',
  );
}
