import { describe, expect, it } from 'vitest';
import { CHUNK_SIZE } from './page-id.ts';
import { Slabs } from './slabs.ts';

describe('Slabs', () => {
  it('gets more and more at a time, so that a large machine takes few pieces', () => {
    const slabs = new Slabs();
    const pieces = new Set<ArrayBufferLike>();
    for (let i = 0; i < 300; i++) pieces.add(slabs.take().buffer);
    expect(pieces.size).toBeLessThan(8);
    expect(slabs.size / CHUNK_SIZE).toBeLessThan(300 + 256);
  });

  it('deals out zeroed memory again that was given back, and lets go of what is not used', () => {
    const slabs = new Slabs();
    const chunks = Array.from({ length: 8 }, () => slabs.take().fill(7));
    const [given] = chunks.splice(3, 1);
    slabs.giveBack(given);
    const again = slabs.take();
    expect(again.buffer).toBe(given.buffer);
    expect(again.every((byte) => byte === 0)).toBe(true);
    for (const chunk of [...chunks, again]) slabs.giveBack(chunk);
    expect(slabs.size).toBe(0);
  });

  it('deals out every chunk once', () => {
    const slabs = new Slabs();
    const places = Array.from({ length: 100 }, () => slabs.take()).map(({ buffer, byteOffset }) => ({
      buffer,
      byteOffset,
    }));
    const starts = new Map<ArrayBufferLike, Set<number>>();
    for (const { buffer, byteOffset } of places) starts.set(buffer, (starts.get(buffer) ?? new Set()).add(byteOffset));
    expect([...starts.values()].reduce((sum, { size }) => sum + size, 0)).toBe(100);
  });
});
