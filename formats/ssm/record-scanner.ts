import type { FormatCode } from '../codes/format-codes.ts';
import { FormatError, hex } from '../errors.ts';
import type { Window } from '../files/window.ts';
import { Encoding, type SegmentTable } from './segments.ts';

// Records of a V2.0 unit (ssm-container.md 3.3). Source: SSM.cpp, SSM_REC_TYPE_*, ssmR3DataReadRecHdrV2.

export const RecordType = { TERM: 1, RAW: 2, RAW_LZF: 3, RAW_ZERO: 4, NAMED: 5 } as const;

/** `SSM_REC_FLAGS_FIXED | SSM_REC_FLAGS_IMPORTANT`: flags of the type byte, as all writers set them. */
export const RECORD_FLAGS = 0x90;

/** Maximum number of bytes that one compressed record may expand to, whatever the file header says. */
const MAX_DECOMPRESSED = 4096;
/** A RAW record up to this size waits until it is in the window as a whole; larger ones are handed on in pieces. */
const WHOLE_RAW_LIMIT = 64 * 1024;

/** Valid records in a row that prove records: any other bytes look like one with a chance of less than 1 %. */
const CONVINCING_RECORDS = 8;
const TERM_CONTENT_SIZE = 14;

export type Stop = 'full' | 'more' | 'term';

/** Smallest size by the length of the size code. */
const SMALLEST_OF_LENGTH = [0, 0, 0, 0, 0x10000, 0x200000, 0x4000000];

/** Turns the records in a window into segments. */
export class RecordScanner {
  /** Bytes of a large RAW record that are still to come. */
  #rawLeft = 0;
  /** Bytes of the head of the record that `#readSize` has read last. */
  #headSize = 0;

  reset(): void {
    this.#rawLeft = 0;
  }

  /**
   * Scans complete records from `window.position` on into `table` and advances the position after them.
   * @returns `full`: no room in the table; `more`: the next record is incomplete; `term`: the position is at a TERM
   * record
   * @throws FormatError with the code of VirtualBox's loader
   */
  scan(window: Window, table: SegmentTable): Stop {
    const { end } = window;
    let p = window.position;
    try {
      while (table.count < table.capacity) {
        if (this.#rawLeft > 0) {
          const part = Math.min(this.#rawLeft, end - p);
          if (part === 0) return 'more';
          table.add(Encoding.RAW, p, part, part);
          this.#rawLeft -= part;
          p += part;
          continue;
        }
        if (p >= end) return 'more';
        const type = this.#checkType(window, p);
        if (type === RecordType.TERM) return 'term';
        const size = this.#readSize(window, p);
        if (size < 0) return 'more';
        const content = p + this.#headSize;
        if (type === RecordType.NAMED)
          throw damaged(window, p, 'bad-record', 'a named record, which carries no data', 'VERR_SSM_BAD_REC_TYPE');
        if (type === RecordType.RAW) {
          const isCut = content + size > end;
          if (isCut && size <= WHOLE_RAW_LIMIT && (!window.ended || content >= end)) return 'more';
          if (isCut || size > WHOLE_RAW_LIMIT) {
            // The record is handed on in parts: in a cut file, the parts before the cut are good.
            this.#rawLeft = size;
            p = content;
            continue;
          }
          table.add(Encoding.RAW, content, size, size);
        } else if (!addCompressed(window, table, type, p, content, size)) return 'more';
        p = content + size;
      }
      return 'full';
    } finally {
      // The position advances also after damage, since the records before it are good.
      window.position = p;
    }
  }

  /**
   * Whether the bytes from `window.position` on look like whole records, as VirtualBox writes them: several, or all up
   * to a TERM record.
   */
  looksLikeRecords(window: Window): boolean {
    const { bytes, end } = window;
    let p = window.position;
    try {
      for (let seen = 0; seen < CONVINCING_RECORDS; seen++) {
        if (p >= end || (bytes[p] & 0xf0) !== RECORD_FLAGS) return false;
        const type = this.#checkType(window, p);
        const size = this.#readSize(window, p);
        const content = p + this.#headSize;
        if (type === RecordType.TERM) return size === TERM_CONTENT_SIZE;
        if (size < 0 || size > WHOLE_RAW_LIMIT || content + size > end || type === RecordType.NAMED) return false;
        const decoded = bytes[content] * 1024;
        if (type === RecordType.RAW_ZERO && (size !== 1 || decoded > MAX_DECOMPRESSED)) return false;
        if (
          type === RecordType.RAW_LZF &&
          (size > MAX_DECOMPRESSED + 2 || decoded > MAX_DECOMPRESSED || decoded < size - 1)
        )
          return false;
        p = content + size;
      }
      return true;
    } catch {
      return false;
    }
  }

  #checkType(window: Window, p: number): number {
    const byte = window.bytes[p];
    const type = byte & 0x0f;
    if ((byte & 0xe0) !== 0x80 || type < RecordType.TERM || type > RecordType.NAMED) {
      throw damaged(window, p, 'bad-record', `type byte ${hex(byte)} is no record type`, 'VERR_SSM_INTEGRITY_REC_HDR');
    }
    return type;
  }

  /**
   * Reads the size code after the type byte at `p` and sets `#headSize`; −1 when it is incomplete. Bit 6 of the first
   * byte is never tested; over-long forms of 2 and 3 bytes are legal, the writer uses them.
   */
  #readSize(window: Window, p: number): number {
    const { bytes, end } = window;
    if (p + 1 >= end) return -1;
    const first = bytes[p + 1];
    if (first < 0x80) {
      this.#headSize = 2;
      return first;
    }
    const count = Math.clz32(~(first << 24) & 0x3f000000);
    if (count > 6)
      throw damaged(window, p, 'bad-record', `size code ${hex(first)} is invalid`, 'VERR_SSM_INTEGRITY_REC_HDR');
    if (p + 1 + count > end) return -1;
    let size = first & (0x7f >> count);
    for (let i = 2; i <= count; i++) {
      const byte = bytes[p + i];
      if ((byte & 0xc0) !== 0x80)
        throw damaged(window, p, 'bad-record', 'the size code is broken', 'VERR_SSM_INTEGRITY_REC_HDR');
      size = size * 64 + (byte & 0x3f);
    }
    if (size < SMALLEST_OF_LENGTH[count]) {
      throw damaged(window, p, 'bad-record', 'the size code is over-long', 'VERR_SSM_INTEGRITY_REC_HDR');
    }
    this.#headSize = 1 + count;
    return size;
  }
}

/** @returns false where the record is incomplete */
function addCompressed(
  window: Window,
  table: SegmentTable,
  type: number,
  p: number,
  content: number,
  size: number,
): boolean {
  const lzf = type === RecordType.RAW_LZF;
  if (lzf ? size <= 1 || size > MAX_DECOMPRESSED + 2 : size !== 1) throw badCompressedSize(window, p, size);
  if (content + size > window.end) return false;
  const decoded = window.bytes[content] * 1024;
  if (decoded > MAX_DECOMPRESSED || (lzf && decoded < size - 1)) throw badCompressedSize(window, p, size);
  if (lzf) table.add(Encoding.LZF, content + 1, size - 1, decoded);
  else table.add(Encoding.ZERO, content, 0, decoded);
  return true;
}

function badCompressedSize(window: Window, p: number, size: number): FormatError {
  return damaged(
    window,
    p,
    'bad-compression',
    `a compressed record of ${size} bytes, which is impossible`,
    'VERR_SSM_INTEGRITY_DECOMPRESSION',
  );
}

function damaged(window: Window, p: number, code: FormatCode, what: string, vboxCode: string): FormatError {
  const offset = window.offsetOf(p);
  return new FormatError(code, `Cannot read record at ${hex(offset)}: ${what}`, { offset }, vboxCode);
}
