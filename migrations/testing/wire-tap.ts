import { type Duplex, duplexPair } from 'node:stream';
import { FRAME_HEADER_SIZE, type FrameName } from '../wire/frames.ts';
import { readFrameHeader } from '../wire/payload.ts';

export type From = 'source' | 'target';
/**
 * Fate of a frame: it passes, something else takes its place, or the link ends before or after it; for
 * `cut-source` only the source notices.
 */
export type Fate = 'pass' | 'cut-before' | 'cut-after' | 'cut-source' | Uint8Array;
export type Tap = (from: From, name: FrameName, frame: Uint8Array, link: number) => Fate;

/** Two ends of a link whose frames go through a tap. */
export function tappedPair(tap: Tap, link: number): [Duplex, Duplex] {
  const [source, nearSource] = duplexPair();
  const [target, nearTarget] = duplexPair();
  let isHalfOpen = false;
  const cut = () => {
    for (const end of isHalfOpen ? [source, nearSource] : [source, nearSource, target, nearTarget]) end.destroy();
  };
  const fateOf = (from: From, name: FrameName, frame: Uint8Array): Fate => {
    const fate = tap(from, name, frame, link);
    isHalfOpen ||= fate === 'cut-source';
    return fate;
  };
  carry(nearSource, nearTarget, (name, frame) => fateOf('source', name, frame), cut);
  carry(nearTarget, nearSource, (name, frame) => fateOf('target', name, frame), cut);
  for (const end of [source, target]) end.on('close', cut);
  return [source, target];
}

function carry(from: Duplex, to: Duplex, fateOf: (name: FrameName, frame: Uint8Array) => Fate, cut: () => void): void {
  let held = Buffer.alloc(0);
  from.on('error', cut);
  from.on('end', () => to.end());
  from.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    while (held.length >= FRAME_HEADER_SIZE) {
      const { name, length } = readFrameHeader(held);
      if (held.length < FRAME_HEADER_SIZE + length) return;
      const frame = held.subarray(0, FRAME_HEADER_SIZE + length);
      held = held.subarray(FRAME_HEADER_SIZE + length);
      const fate = fateOf(name, frame);
      if (fate === 'cut-before' || fate === 'cut-source') return cut();
      if (!to.destroyed) to.write(fate instanceof Uint8Array ? fate : Buffer.from(frame));
      // Bytes that were written are to arrive first.
      if (fate === 'cut-after') {
        setImmediate(() => setImmediate(cut));
        return;
      }
    }
  });
}
