import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import xxhash from 'xxhash-wasm';
import { returnBuffer, takeBuffer } from './arena.ts';
import { xxh64, xxh64Batch } from './xxh64.ts';
import { xxh64Plain } from './xxh64-plain.ts';

let oracle: (bytes: Uint8Array) => bigint;
beforeAll(async () => {
  oracle = (await xxhash()).h64Raw;
});

const anyBytes = fc.uint8Array({ maxLength: 300 });

describe('xxh64()', () => {
  it('gives what another implementation gives, at any place, as its twin does', () => {
    fc.assert(
      fc.property(anyBytes, fc.nat({ max: 20 }), (bytes, before) => {
        const padded = new Uint8Array(before + bytes.length + 9);
        padded.set(bytes, before);
        expect(xxh64(padded, before, bytes.length)).toBe(oracle(bytes));
        expect(xxh64Plain(padded, before, bytes.length)).toBe(oracle(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the published value of no bytes', () => {
    expect(xxh64(new Uint8Array(0))).toBe(0xef46db3751d8e999n);
  });

  it('hashes more than its memory for input holds', () => {
    const bytes = new Uint8Array(200_000).map((_, i) => i * 7);
    for (const length of [200_000, 65_535, 65_536, 65_537, 131_072, 131_073, 131_103, 131_104])
      expect(xxh64(bytes, 3, length - 3)).toBe(oracle(bytes.subarray(3, length)));
  });
});

describe('xxh64Batch()', () => {
  it('hashes each block, wherever the bytes stand and however many they are', () => {
    const blocks = fc.array(fc.tuple(fc.nat({ max: 5000 }), fc.nat({ max: 5000 })), { maxLength: 40 });
    fc.assert(
      fc.property(blocks, fc.boolean(), (list, inKernels) => {
        const bytes = inKernels ? takeBuffer(10_000) : new Uint8Array(10_000);
        for (let i = 0; i < bytes.length; i++) bytes[i] = i * i;
        const at = Uint32Array.from(list, ([at]) => at);
        const length = Uint32Array.from(list, ([, length]) => length);
        const hashes = new BigUint64Array(list.length + 1).fill(5n);
        xxh64Batch(bytes, at, length, list.length, hashes);
        expect([...hashes]).toEqual([...list.map(([at, length]) => oracle(bytes.subarray(at, at + length))), 5n]);
        returnBuffer(bytes);
      }),
      { numRuns: 60 },
    );
  });

  it('hashes more pages than one batch of the kernels takes', () => {
    const count = 5000;
    const bytes = new Uint8Array(count + 4096).map((_, i) => (i * i) >> 3);
    const at = Uint32Array.from({ length: count }, (_, i) => i);
    const hashes = new BigUint64Array(count);
    xxh64Batch(bytes, at, 4096, count, hashes);
    for (const i of [0, 15, 16, 2047, 2048, 4999]) expect(hashes[i]).toBe(oracle(bytes.subarray(i, i + 4096)));
  });
});
