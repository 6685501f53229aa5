import { type Duplex, duplexPair } from 'node:stream';
import { Peer } from '../teleporter/peer.ts';

/** One thing that a scripted peer does: says something, waits until it has heard something, or closes. */
export type Line =
  | { say: Uint8Array | string }
  | { hear: string }
  | { close: true }
  | { cut: true }
  | { pause: number };

/**
 * Our side of a connection in memory, and a peer at its other end that follows a script, written from the specification
 * alone.
 */
export function scriptedPeer(script: readonly Line[], signal?: AbortSignal): { peer: Peer; heard: Promise<Buffer> } {
  const [ours, theirs] = duplexPair();
  // As a socket would see it; a pair in memory does not tell.
  theirs.on('close', () => ours.destroy(theirs.readableEnded ? undefined : new Error('connection reset')));
  return { peer: new Peer(ours, 'peer', signal), heard: follow(theirs, script) };
}

/** Follows a script over a stream. @returns all that was heard, once our side has closed */
export async function follow(stream: Duplex, script: readonly Line[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let heard = 0;
  let wake = () => {};
  let closed = false;
  const ended = new Promise<void>((resolve) => {
    for (const event of ['end', 'close', 'error']) {
      stream.on(event, () => {
        closed = true;
        wake();
        resolve();
      });
    }
  });
  stream.on('data', (chunk: Buffer) => {
    chunks.push(Buffer.from(chunk));
    wake();
  });
  for (const line of script) {
    if ('say' in line) stream.write(line.say);
    else if ('close' in line) stream.end();
    else if ('cut' in line) stream.destroy();
    else if ('pause' in line) await new Promise((resolve) => setTimeout(resolve, line.pause));
    else {
      for (;;) {
        const all = Buffer.concat(chunks);
        const at = all.indexOf(line.hear, heard, 'latin1');
        if (at >= 0) {
          heard = at + line.hear.length;
          break;
        }
        if (closed) return all;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }
  await ended;
  stream.end();
  return Buffer.concat(chunks);
}
