import { crc32, crcShift } from '../../binary/crc32.ts';
import type { ByteSink } from '../../files/sink.ts';
import { copyBytes, returnBuffer, takeBuffer } from '../../kernels/arena.ts';
import { KIB } from '../../sizes.ts';

/** Bytes leave for the sink in pieces of about this size. */
const FLUSH_SIZE = 512 * KIB;
/** Bytes that one step may add before it looks at `isFull`. */
const STEP_LIMIT = 256 * KIB;

/** Gathers a container's bytes on their way to a sink, with their position and CRC. */
export class OutputBuffer {
  readonly bytes = takeBuffer(FLUSH_SIZE + STEP_LIMIT);
  length = 0;
  readonly #sink: ByteSink;
  /** File offset of `bytes[0]`. */
  #base = 0;
  #crc = 0;
  /** Index up to which `#crc` goes. */
  #crcLength = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** File offset of the next byte. */
  get offset(): number {
    return this.#base + this.length;
  }

  /** Time to flush: less than `STEP_LIMIT` is free. */
  get isFull(): boolean {
    return this.length >= FLUSH_SIZE;
  }

  u8(value: number): void {
    this.bytes[this.length++] = value;
  }

  /** Appends bytes, at most `STEP_LIMIT` of them between two looks at `isFull`. */
  put(source: Uint8Array): void {
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** As `put`, of a part. */
  putPart(source: Uint8Array, at: number, length: number): void {
    copyBytes(source, at, length, this.bytes, this.length);
    this.length += length;
  }

  /**
   * CRC-32 of all bytes so far, less the last `without`. A later call must not leave out bytes that an earlier one has
   * counted.
   */
  crc(without = 0): number {
    const length = this.length - without;
    if (length > this.#crcLength) {
      this.#crc = crc32(this.bytes.subarray(this.#crcLength, length), this.#crc);
      this.#crcLength = length;
    }
    return this.#crc;
  }

  /** Lets the CRC start here. */
  startCrc(): void {
    this.#crc = 0;
    this.#crcLength = this.length;
  }

  /**
   * Corrects the CRC for a field that holds `value` now in place of zeros; `distance` bytes follow the field in the
   * CRC. CRC-32 is linear, so nothing has to be read again.
   */
  patchCrc(value: Uint8Array, distance: number): void {
    const difference = (crc32(value) ^ crc32(new Uint8Array(value.length))) >>> 0;
    this.#crc = (this.#crc ^ crcShift(difference, distance)) >>> 0;
  }

  /** Bytes from the start of the file that the CRC has seen. */
  get crcOffset(): number {
    return this.#base + this.#crcLength;
  }

  /** Index of a file offset in `bytes`; negative if that byte was flushed already. */
  indexOf(offset: number): number {
    return offset - this.#base;
  }

  /** Gives the memory back, after the last flush. */
  release(): void {
    returnBuffer(this.bytes);
  }

  /** Hands all but the last `keep` bytes to the sink. */
  async flush(keep = 0): Promise<void> {
    const count = this.length - keep;
    if (count <= 0) return;
    this.crc(keep);
    await this.#sink.write(this.bytes.subarray(0, count));
    this.bytes.copyWithin(0, count, this.length);
    this.#base += count;
    this.length = keep;
    this.#crcLength -= count;
  }
}
