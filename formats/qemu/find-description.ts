import type { ByteSource } from '../files/source.ts';
import { MIB } from '../sizes.ts';
import { Turns } from '../turns.ts';
import { PartType, USUAL_TAIL } from './constants.ts';

const OPEN_BRACE = 0x7b;
const HEAD_SIZE = 5;
/** The first key of a description: one of these, depending on its writer. */
const FIRST_KEYS = ['"configuration"', '"page_size"', '"devices"'].map((key) => Buffer.from(key));
const QUOTE = 0x22;
/** Bytes up to this one are blanks: tabs, ends of lines, spaces. */
const BLANK = 0x20;
/** Maximum number of blanks before the first key. */
const MOST_BLANKS = 40;

/** Place of a description, head included, as indices. */
export interface FoundDescription {
  at: number;
  end: number;
  /** The length in its head is wrong: the description is cut off, or the head is damaged. */
  isTorn?: true;
}

/**
 * Finds the description in the last bytes of a stream, head included, as indices into `bytes`. The description is the
 * last part, and its length reaches to the end of the bytes. On a volume, which is larger than its stream, other bytes
 * follow the description.
 */
export function findDescription(bytes: Uint8Array): FoundDescription | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let followed: FoundDescription | undefined;
  for (let at = bytes.indexOf(PartType.DESCRIPTION); at >= 0; at = bytes.indexOf(PartType.DESCRIPTION, at + 1)) {
    if (at + HEAD_SIZE >= bytes.length || bytes[at + HEAD_SIZE] !== OPEN_BRACE) continue;
    const end = at + HEAD_SIZE + view.getUint32(at + 1);
    if (end === bytes.length) return { at, end };
    if (end > bytes.length || followed || bytes[at - 1] !== PartType.END_MARK) continue;
    if (isBeginning(bytes, at + HEAD_SIZE)) followed = { at, end };
  }
  return followed ?? findTorn(bytes);
}

function findTorn(bytes: Uint8Array): FoundDescription | undefined {
  for (let at = bytes.indexOf(OPEN_BRACE, HEAD_SIZE); at >= 0; at = bytes.indexOf(OPEN_BRACE, at + 1))
    if (isBeginning(bytes, at)) return { at: at - HEAD_SIZE, end: bytes.length, isTorn: true };
  return undefined;
}

/** Whether a brace begins a description. Has to be fast: the bytes may be 64 MiB of braces. */
function isBeginning(bytes: Uint8Array, brace: number): boolean {
  let at = brace + 1;
  while (bytes[at] <= BLANK && at <= brace + MOST_BLANKS) at++;
  return bytes[at] === QUOTE && FIRST_KEYS.some((key) => hasAt(bytes, at, key));
}

function hasAt(bytes: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let i = 0; i < key.length; i++) if (bytes[at + i] !== key[i]) return false;
  return true;
}

/** First words as QEMU writes them, without spaces. */
const FIRST_WORDS = ['{"configuration"', '{"page_size"', '{"devices"'];
/** Longer than the head and the first word of a description. */
const OVERLAP = 64;

/** End of the first description that begins after `from`; undefined where there is none. */
export async function findDescriptionEnd(
  source: ByteSource,
  from: number,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const piece = Buffer.alloc(MIB + OVERLAP);
  const turns = Turns.rare(signal);
  for (let start = from; ; start += MIB) {
    if (turns.areDue) await turns.give();
    const bytes = piece.subarray(0, await source.read(piece, start));
    const ends = FIRST_WORDS.flatMap((words) => endsOf(bytes, words));
    if (ends.length > 0) return start + Math.min(...ends);
    if (bytes.length < piece.length) return undefined;
  }
}

function endsOf(bytes: Buffer, words: string): number[] {
  const ends: number[] = [];
  for (let at = bytes.indexOf(words); at >= 0; at = bytes.indexOf(words, at + 1)) {
    const head = at - HEAD_SIZE;
    if (head > 0 && bytes[head] === PartType.DESCRIPTION && bytes[head - 1] === PartType.END_MARK)
      ends.push(at + bytes.readUInt32BE(head + 1));
  }
  return ends;
}

/** The size of pages is given within so many bytes from the start of the description. */
const BEGINNING = 64 * 1024;

/** Bytes of a page by the description at the end of a file; undefined where it cannot be read first, or tells none. */
export async function findPageSize(source: ByteSource): Promise<number | undefined> {
  const { size, seekable } = source;
  if (!seekable || size === undefined) return undefined;
  const tail = Buffer.alloc(Math.min(USUAL_TAIL, size));
  const bytes = tail.subarray(0, await source.read(tail, size - tail.length));
  const { at = 0, end = 0 } = findDescription(bytes) ?? {};
  const [, told] = /"page_size":\s*(\d{1,9})/.exec(bytes.toString('latin1', at, Math.min(end, at + BEGINNING))) ?? [];
  return told === undefined ? undefined : Number(told);
}
