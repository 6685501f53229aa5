import { UnsupportedError } from '../../errors.ts';
import type { ByteSource } from '../../files/source.ts';
import type { Window } from '../../files/window.ts';
import type { Turns } from '../../turns.ts';
import { MAX_TAIL, USUAL_TAIL } from '../constants.ts';
import { splitDevices } from '../device-sections.ts';
import { findDescription } from '../find-description.ts';

/** The part of a stream after RAM. */
export interface StreamTail {
  /** A copy of the bytes after RAM, up to the end of the stream. */
  bytes: Uint8Array;
  /** Offset in the source. */
  offset: number;
  /** Number of bytes of the source after them, which may be large on a volume. */
  left: number;
}

/**
 * Reads from the window's position until the stream has ended.
 * @throws UnsupportedError for a stream whose end is not within `MAX_TAIL` bytes
 */
export async function readTail(window: Window, source: ByteSource, turns: Turns): Promise<StreamTail> {
  const { offset } = window;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for (let enough = USUAL_TAIL; ; ) {
    const { bytes, position, end } = window;
    pieces.push(bytes.slice(position, end));
    size += end - position;
    window.position = end;
    if (window.ended) return { bytes: Buffer.concat(pieces), offset, left: 0 };
    if (size >= enough) {
      enough *= 4;
      const tail = Buffer.concat(pieces);
      if (hasEnd(tail, offset)) return { bytes: tail, offset, left: await countRest(window, source, turns) };
    }
    if (turns.areDue) await turns.give();
    await window.refill();
  }
}

/**
 * Whether the first bytes after RAM hold the end of the stream. @throws UnsupportedError for more bytes than are
 * allowed without one
 */
function hasEnd(bytes: Uint8Array, offset: number): boolean {
  const found = findDescription(bytes);
  if (found && !found.isTorn) return true;
  if (bytes.length < MAX_TAIL) return false;
  if (splitDevices(bytes, offset, () => {}).ended) return true;
  throw new UnsupportedError('too-long', `Cannot read devices: they take more than ${MAX_TAIL} bytes`, { offset });
}

async function countRest(window: Window, { size }: ByteSource, turns: Turns): Promise<number> {
  const { offset } = window;
  if (size !== undefined) return Math.max(0, size - offset);
  while (!window.ended) {
    if (turns.areDue) await turns.give();
    window.position = window.end;
    await window.refill();
  }
  return window.offset + window.available - offset;
}
