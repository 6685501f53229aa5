import { describe, expect, it } from 'vitest';
import { returnBuffer, takeBuffer } from './arena.ts';
import { kernels } from './wasm.ts';

describe('takeBuffer()', () => {
  it('lends each piece of the memory to one user at a time, and ordinary memory when all is lent', () => {
    const buffers = Array.from({ length: 12 }, () => takeBuffer(5000));
    for (const [i, buffer] of buffers.entries()) buffer.fill(i);
    for (const [i, buffer] of buffers.entries()) expect(buffer.every((byte) => byte === i)).toBe(true);
    for (const buffer of buffers) returnBuffer(buffer);
  });

  it('lends memory that was given back, to one user; without kernels every buffer is a new one', () => {
    const buffer = takeBuffer(100);
    returnBuffer(buffer);
    returnBuffer(buffer);
    const again = [takeBuffer(100), takeBuffer(100)];
    if (kernels) {
      expect(kernels.holds(buffer)).toBe(true);
      expect(again[0].byteOffset).toBe(buffer.byteOffset);
      expect(again[1].byteOffset).not.toBe(buffer.byteOffset);
    } else {
      expect(new Set([buffer, ...again].map((each) => each.buffer)).size).toBe(3);
    }
    for (const other of again) returnBuffer(other);
  });

  it('gives any size', () => {
    expect(takeBuffer(20_000_000).length).toBe(20_000_000);
  });
});
