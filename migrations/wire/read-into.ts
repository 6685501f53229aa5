import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Receiver of a connection's bytes. */
export interface Inlet {
  /** Memory for the next bytes; never empty. */
  space(): Uint8Array;
  /** Notes that bytes were put into the buffer. @returns false to read no more until `resume` */
  filled(count: number): boolean;
}

/**
 * Properties in which a socket keeps its option `onread`: the current buffer, the function that gives the next one, and
 * the callback for bytes.
 */
const NAMES = ['kBuffer', 'kBufferGen', 'kBufferCb'];

/**
 * Makes a socket, plain or TLS, read directly into its reader's memory, without allocations and copies; the socket is
 * paused at first. Node offers this as option `onread` for outgoing connections only, so for accepted
 * connections the option is set afterwards.
 * @returns false, with nothing changed, for other streams, after a first read, and if Node's internals have changed
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
