import { crc32 } from '../binary/crc32.ts';
import { Cursor } from '../binary/cursor.ts';
import type { ByteSource } from '../files/source.ts';
import type { Window } from '../files/window.ts';
import { KIB } from '../sizes.ts';
import { startsWith } from './header-rules.ts';
import { END_MAGIC, footer as footerLayout, unitHeaderV2 } from './layouts.ts';
import type { RecordScanner } from './record-scanner.ts';
import { findUnitHeader, type HeaderPlace, hasRightCrc, isUnitHeaderV2 } from './resync.ts';
import { DIRECTORY_ENTRY_SIZE, DIRECTORY_HEAD_SIZE, FOOTER_SIZE, readDirectory, readFooter } from './v2-tail.ts';

/** Bytes to look ahead for records that can be trusted. */
const SIGHT = 128 * KIB;

/** Finds a place in a damaged V2.0 file from which it can be read on. */
export class V2Recovery {
  readonly #window: Window;
  /** Headers that have moved; read only after damage. */
  #moved: MovedHeaders | undefined;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Goes to the next place in the unit that looks like records. @returns whether there is one before the next unit */
  async findRecords(records: RecordScanner): Promise<boolean> {
    const window = this.#window;
    this.#moved ??= await MovedHeaders.read(window.source);
    for (;;) {
      if (window.available < SIGHT && !window.ended) await window.refill();
      const last = window.ended ? window.end : window.end - SIGHT;
      while (++window.position < last) {
        if (this.#moved.isUnitHeader(window)) return false;
        if (!records.looksLikeRecords(window)) continue;
        records.reset();
        return true;
      }
      if (window.ended) return false;
    }
  }

  /** Goes to the next header of a unit. @returns whether there is one */
  async findHeader(): Promise<boolean> {
    const window = this.#window;
    if (window.available === 0 && !window.ended) await window.refill();
    window.position = Math.min(window.end, window.position + 1);
    this.#moved ??= await MovedHeaders.read(window.source);
    const moved = this.#moved;
    return findUnitHeader(window, (place) => moved.isUnitHeader(place));
  }
}

/**
 * Recognises unit headers that are not at the offset that they claim, since bytes before them were lost or inserted. A
 * right CRC alone is no proof: guest memory may hold pieces of saved states. So the directory must list the header, or
 * the header must have moved as far as the end of the file.
 */
class MovedHeaders {
  /** Entries of the directory by claimed offset: instance and CRC of the name. */
  readonly #listed: ReadonlyMap<number, { instance: number; nameCrc: number }>;
  /** Distance by which the footer has moved, in bytes; undefined without a footer. */
  readonly #shift: number | undefined;

  private constructor(listed: ReadonlyMap<number, { instance: number; nameCrc: number }>, shift: number | undefined) {
    this.#listed = listed;
    this.#shift = shift;
  }

  /** Reads directory and footer from the end of a seekable file. */
  static async read(source: ByteSource): Promise<MovedHeaders> {
    const size = source.size ?? 0;
    const nothing = new MovedHeaders(new Map(), undefined);
    if (!source.seekable || size < FOOTER_SIZE) return nothing;
    const footer = await readAt(source, size - FOOTER_SIZE, FOOTER_SIZE);
    let isGood = true;
    const onDamage = () => {
      isGood = false;
    };
    const claimed = footerLayout.read(new Cursor(footer)).offset;
    const { directoryEntries } = readFooter(footer, claimed, true, onDamage);
    const start = size - FOOTER_SIZE - DIRECTORY_HEAD_SIZE - directoryEntries * DIRECTORY_ENTRY_SIZE;
    if (!isGood || start < 0) return nothing;
    const bytes = await readAt(source, start, size - FOOTER_SIZE - start);
    const entries = readDirectory(bytes, claimed, 0, onDamage);
    const listed = isGood ? entries : [];
    return new MovedHeaders(new Map(listed.map((entry) => [entry.offset, entry])), claimed - (size - FOOTER_SIZE));
  }

  /** Whether the window is at a unit header that can be trusted, moved or not. */
  isUnitHeader(window: HeaderPlace): boolean {
    if (isUnitHeaderV2(window)) return true;
    if (!hasRightCrc(window)) return false;
    const { bytes, position, offset } = window;
    const { offset: claimed, instance, nameSize } = unitHeaderV2.read(new Cursor(bytes, position));
    if (claimed - offset === this.#shift) return true;
    const entry = this.#listed.get(claimed);
    if (!entry || startsWith(bytes, position, END_MAGIC)) return false;
    const nameStart = position + unitHeaderV2.size();
    return entry.instance === instance && entry.nameCrc === crc32(bytes.subarray(nameStart, nameStart + nameSize - 1));
  }
}

async function readAt(source: ByteSource, offset: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  await source.read(bytes, offset);
  return bytes;
}
