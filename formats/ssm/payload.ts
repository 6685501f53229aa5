import { Cursor, OutOfBytes } from '../binary/cursor.ts';
import type { FormatCode } from '../codes/format-codes.ts';
import { FormatError, hex, type Place, UnsupportedError } from '../errors.ts';
import type { Container } from './container.ts';
import { Encoding } from './segments.ts';

/** Largest structure of a payload: over ten times the size of 254 ROMs and as many MMIO2 ranges. */
const STRUCTURE_LIMIT = 1024 * 1024;
/** Initial size of the own memory; most units are smaller. */
const FIRST_GATHER = 8 * 1024;
const NOTHING = new Uint8Array(0);

/**
 * The decoded payload of a container's current unit, front to back.
 *
 * The next bytes are the *run* `runBytes[runAt, runEnd)`: a RAW segment in the window, or decoded and gathered bytes in
 * this reader's memory. The segments from `next` on follow the run.
 */
export class PayloadReader {
  /** The container of the payload. */
  readonly container: Container;
  #runBytes: Uint8Array;
  #runAt = 0;
  #runEnd = 0;
  #next = 0;
  /** The run is in the window, so the next `more()` invalidates it. */
  #runInWindow = false;
  #gathered = NOTHING;
  #ended = false;
  readonly #onDecoded: ((bytes: Uint8Array) => void) | undefined;

  /**
   * Reads the unit that `container.nextUnit` gave last.
   * @param onDecoded gets all decoded bytes in order, borrowed, except pages of unit pgm that are taken as stored
   */
  constructor(container: Container, onDecoded?: (bytes: Uint8Array) => void) {
    this.container = container;
    this.#onDecoded = onDecoded;
    this.#runBytes = this.#gathered;
    container.segments.count = 0;
  }

  /** The memory of the run. @internal */
  get runBytes(): Uint8Array {
    return this.#runBytes;
  }

  /** Index of the first byte of the run that was not taken. @internal */
  get runAt(): number {
    return this.#runAt;
  }

  /** @internal */
  get runEnd(): number {
    return this.#runEnd;
  }

  /** Index of the first segment after the run. @internal */
  get next(): number {
    return this.#next;
  }

  /** Takes bytes of the run, which must have them. @internal */
  take(count: number): void {
    this.#runAt += count;
  }

  /** Takes one byte of the run, which must have it. @internal */
  takeByte(): number {
    return this.#runBytes[this.#runAt++];
  }

  /**
   * Skips to the segment with this index; the caller takes the earlier ones as stored. The run must be used up.
   * @internal
   */
  takeSegments(upTo: number): void {
    this.#next = upTo;
  }

  /** Whether the run is a piece of the window, so that it can be referred to instead of copied. @internal */
  get runInWindow(): boolean {
    return this.#runInWindow;
  }

  /**
   * Fetches the next table of segments; false at the unit's end. To be called when no segment is left. Invalidates
   * window references. @internal
   */
  async more(): Promise<boolean> {
    if (this.#runInWindow && this.#runAt < this.#runEnd) this.#ownRun(0);
    this.#next = 0;
    this.#ended = !(await this.container.nextSegments());
    return !this.#ended;
  }

  /**
   * Makes the next segment the run. The run must be used up. @returns false if the table has no segment left
   * @internal
   */
  nextRun(): boolean {
    const { segments } = this.container;
    if (this.#next >= segments.count) return false;
    const i = this.#next++;
    if (segments.encoding[i] === Encoding.RAW) {
      this.#runBytes = segments.window.bytes;
      this.#runAt = segments.at[i];
      this.#runEnd = this.#runAt + segments.size[i];
      this.#runInWindow = true;
    } else {
      this.#ownRun(segments.size[i]);
      segments.decode(i, this.#gathered, 0);
      this.#runEnd = segments.size[i];
    }
    this.#onDecoded?.(this.#runBytes.subarray(this.#runAt, this.#runEnd));
    return true;
  }

  /** Makes sure that the run has `count` bytes. @returns false if the table of segments has no more @internal */
  collect(count: number): boolean {
    while (this.#runEnd - this.#runAt < count) {
      if (this.#runAt === this.#runEnd) {
        if (!this.nextRun()) return false;
      } else if (!this.#append()) {
        return false;
      }
    }
    return true;
  }

  /**
   * Reads one structure of any length: tries with the present bytes, and fetches more while they don't suffice.
   * @throws FormatError `too-short` if the unit ends before, and errors of `read`
   */
  async parse<T>(read: (cursor: Cursor) => T): Promise<T> {
    for (;;) {
      const cursor = new Cursor(this.#runBytes, this.#runAt, this.#runEnd, this.container.header.widths);
      try {
        const value = read(cursor);
        this.#runAt = cursor.at;
        return value;
      } catch (error) {
        if (!(error instanceof OutOfBytes)) throw error instanceof FormatError ? error.at(this.place) : error;
        await this.#fetch(error.needed);
      }
    }
  }

  /** The next contiguous decoded bytes; undefined at the unit's end. Borrowed until the next call. */
  async piece(): Promise<Uint8Array | undefined> {
    while (this.#runAt === this.#runEnd) {
      if (this.nextRun()) continue;
      if (this.#ended || !(await this.more())) return undefined;
    }
    const piece = this.#runBytes.subarray(this.#runAt, this.#runEnd);
    this.#runAt = this.#runEnd;
    return piece;
  }

  /** The rest of the payload, owned. @throws UnsupportedError `too-long` beyond `limit` bytes */
  async rest(limit: number): Promise<Uint8Array> {
    let bytes = NOTHING;
    let size = 0;
    for (let piece = await this.piece(); piece; piece = await this.piece()) {
      if (size + piece.length > limit) throw this.#tooLong(`more than ${limit} bytes of payload`);
      if (size + piece.length > bytes.length) {
        const larger = new Uint8Array(2 * (size + piece.length));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(piece, size);
      size += piece.length;
    }
    return bytes.subarray(0, size);
  }

  /** Skips the rest; gives its last bytes, at most `count`, owned. */
  async tail(count: number): Promise<Uint8Array> {
    let tail = Buffer.alloc(0);
    for (let piece = await this.piece(); piece; piece = await this.piece())
      tail = Buffer.concat([tail, piece.subarray(-count)]).subarray(-count);
    return tail;
  }

  /** Skips the rest, but decompresses it so that every block is checked. */
  async drain(): Promise<void> {
    while (await this.piece());
  }

  /** Whether nothing of the payload is left, not even an empty record. */
  async isAtEnd(): Promise<boolean> {
    if (this.#runAt < this.#runEnd || this.#next < this.container.segments.count) return false;
    return this.#ended || !(await this.more());
  }

  /** Checks that the payload is used up; V1.x containers tolerate a rest. @returns whether there is a rest */
  async expectEnd(): Promise<boolean> {
    const isAtEnd = await this.isAtEnd();
    if (!isAtEnd && this.container.header.format === '2.0')
      throw this.#error('too-long', 'payload is left over', 'VERR_SSM_LOADED_TOO_LITTLE');
    return !isAtEnd;
  }

  /** Place of the reader, as far as known. */
  get place(): Place {
    const { unit, segments } = this.container;
    const place: Place = unit
      ? { unit: unit.name, instance: unit.instance, version: unit.version, pass: unit.pass }
      : {};
    if (this.#runInWindow) place.offset = segments.window.offsetOf(this.#runAt);
    else if (this.#next > 0 && this.#next <= segments.count)
      place.offset = segments.window.offsetOf(segments.at[this.#next - 1]);
    return place;
  }

  /**
   * Gathers at least `needed` bytes, and twice the present ones, so that many small segments do not cause many
   * attempts.
   */
  async #fetch(needed: number): Promise<void> {
    if (needed > STRUCTURE_LIMIT) throw this.#tooLong(`a structure of more than ${STRUCTURE_LIMIT} bytes`);
    const wanted = Math.max(needed, 2 * (this.#runEnd - this.#runAt));
    while (!this.collect(wanted)) {
      if (this.#ended || !(await this.more())) break;
    }
    if (this.#runEnd - this.#runAt < needed)
      throw this.#error('too-short', 'the payload ends too early', 'VERR_SSM_LOADED_TOO_MUCH');
  }

  /** Moves the run to the reader's own memory, with room for `extra` bytes after it. */
  #ownRun(extra: number): void {
    const have = this.#runEnd - this.#runAt;
    const tooSmall = have + extra > this.#gathered.length;
    const target = tooSmall ? new Uint8Array(Math.max(FIRST_GATHER, 2 * (have + extra))) : this.#gathered;
    if (this.#runBytes !== target) target.set(this.#runBytes.subarray(this.#runAt, this.#runEnd));
    else if (this.#runAt > 0) target.copyWithin(0, this.#runAt, this.#runEnd);
    this.#gathered = target;
    this.#runBytes = target;
    this.#runAt = 0;
    this.#runEnd = have;
    this.#runInWindow = false;
  }

  /** Decodes the next segment to the end of the run. */
  #append(): boolean {
    const { segments } = this.container;
    if (this.#next >= segments.count) return false;
    const i = this.#next;
    this.#ownRun(segments.size[i]);
    segments.decode(i, this.#gathered, this.#runEnd);
    this.#onDecoded?.(this.#gathered.subarray(this.#runEnd, this.#runEnd + segments.size[i]));
    this.#runEnd += segments.size[i];
    this.#next++;
    return true;
  }

  #tooLong(what: string): UnsupportedError {
    return new UnsupportedError(
      'too-long',
      `Cannot read unit ${this.place.unit}: ${what}, which savkit does not support`,
      this.place,
    );
  }

  #error(code: FormatCode, what: string, vboxCode: string): FormatError {
    const { place } = this;
    const at = place.offset === undefined ? '' : ` at ${hex(place.offset)}`;
    return new FormatError(code, `Cannot read unit ${place.unit}${at}: ${what}`, place, vboxCode);
  }
}
