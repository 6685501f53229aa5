import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Who takes the bytes of a connection. */
export interface Inlet {
  /** Where the next bytes are to stand; never empty. */
  space(): Uint8Array;
  /** So many stand there now. @returns false to read no more until `resume` */
  filled(count: number): boolean;
}

/**
 * The three properties in which a socket keeps its option `onread`: the buffer in use, and what asks for the next one
 * and is told of bytes.
 */
const NAMES = ['kBuffer', 'kBufferGen', 'kBufferCb'];

/**
 * Has a socket, plain or TLS, read straight into the memory of its reader, which allocates and copies nothing for what
 * comes; paused at first. Node has that as the option `onread` of sockets that one opens; accepted ones have to be told
 * afterwards.
 * @returns false for streams of other kinds, and where something was read already or Node has changed inside: they hand
 * out their own chunks
 */
export function readInto(stream: Duplex, inlet: Inlet): boolean {
  if (!(stream instanceof Socket) || stream.readableLength > 0 || stream.readableFlowing === true) return false;
  const { _handle: handle } = stream as unknown as { _handle: { useUserBuffer?: (bytes: Uint8Array) => void } | null };
  const symbols = Object.getOwnPropertySymbols(stream);
  const keys = NAMES.map((name) => symbols.find(({ description }) => description === name));
  if (typeof handle?.useUserBuffer !== 'function' || keys.includes(undefined)) return false;
  const first = inlet.space();
  const values = [first, () => inlet.space(), (count: number) => inlet.filled(count)];
  for (const [i, key] of keys.entries()) Object.assign(stream, { [key as symbol]: values[i] });
  handle.useUserBuffer(first);
  stream.pause();
  return true;
}
