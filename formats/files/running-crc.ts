import { crc32, crcShift } from '../binary/crc32.ts';

/** The CRC of some bytes, computed elsewhere. */
export interface CrcPiece {
  /** Number of bytes. */
  length: number;
  /** CRC-32 of the bytes; undefined until the CRC is known. */
  crc: number | undefined;
  /** Waits until the CRC is known. */
  settle(): Promise<void>;
}

/** The CRC-32 of a stretch of a file that is read front to back; pieces of it may be computed elsewhere. */
export class RunningCrc {
  /** File offset up to which all bytes are in the CRC, or deferred. */
  at = 0;
  #crc = 0;
  #until = Number.POSITIVE_INFINITY;
  /** Pieces after the bytes of `#crc`. The CRC of the first piece is not known yet, so none has been joined. */
  #later: CrcPiece[] = [];

  /** Lets the CRC cover file bytes `[from, until)` only. To be called before anything after `from` has been passed. */
  limit(from: number, until: number): void {
    this.#until = until;
    this.restore(0, from);
  }

  /** Continues from an earlier place of the file. @param crc of the bytes before that place */
  restore(crc: number, at: number): void {
    this.#crc = crc;
    this.at = Math.min(at, this.#until);
    this.#later = [];
  }

  /**
   * Takes all bytes up to a file offset into the CRC. The offset never goes back. @param bytes of the file from its
   * offset `base` on
   */
  pass(bytes: Uint8Array, base: number, offset: number): void {
    const until = Math.min(offset, this.#until);
    if (until <= this.at) return;
    const part = bytes.subarray(this.at - base, until - base);
    this.#join();
    if (this.#later.length === 0) this.#crc = crc32(part, this.#crc);
    else this.#later.push({ length: part.length, crc: crc32(part), settle: async () => {} });
    this.at = until;
  }

  /** Number of bytes up to a file offset that the CRC still needs. */
  needed(offset: number): number {
    return Math.max(0, Math.min(offset, this.#until) - this.at);
  }

  /** Leaves the CRC of the next bytes to a piece that is computed elsewhere. */
  defer(piece: CrcPiece): void {
    this.#join();
    this.#later.push(piece);
    this.at += piece.length;
  }

  /** Waits for the deferred pieces. */
  async settle(): Promise<void> {
    for (const piece of this.#later) await piece.settle();
    this.#join();
  }

  /** CRC-32 of all that was passed. To be called after `settle` where pieces were deferred. */
  get value(): number {
    this.#join();
    if (this.#later.length > 0) throw new Error('The CRC is wanted before all of it is known');
    return this.#crc;
  }

  #join(): void {
    let known = 0;
    for (; known < this.#later.length; known++) {
      const { crc, length } = this.#later[known];
      if (crc === undefined) break;
      this.#crc = (crcShift(this.#crc, length) ^ crc) >>> 0;
    }
    if (known > 0) this.#later.splice(0, known);
  }
}
