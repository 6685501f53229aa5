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
 * The same connection as a socket that reads straight into the memory of its reader, paused: nothing is allocated or copied for what comes.
 * Node has it (`onread`), but only for sockets that one makes oneself, so this makes one of the other's handle.
 * @returns undefined for connections of other kinds, TLS for instance, and where something was read already: they hand out their own chunks
 */
export function readInto(stream: Duplex, inlet: Inlet): Socket | undefined {
  const isPlain = Object.getPrototypeOf(stream) === Socket.prototype;
  const given = stream as Duplex & { bytesRead: number; _handle: { useUserBuffer?: unknown } | null };
  const handle = given._handle;
  if (!isPlain || typeof handle?.useUserBuffer !== 'function' || given.bytesRead > 0 || given.readableLength > 0) return undefined;
  given._handle = null;
  const onread = { buffer: () => inlet.space(), callback: (count: number) => inlet.filled(count) };
  const socket = new Socket({ handle, pauseOnCreate: true, onread } as object);
  // Who holds the given one may still close it, and its listener counts it until then.
  socket.once('close', () => stream.destroy());
  stream.once('close', () => socket.destroy());
  return socket;
}
