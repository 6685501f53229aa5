import { openSync, readSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomPage } from '../testing/container-builder.ts';
import { returnBuffer, takeBuffer } from './arena.ts';
import { createLzfEncoder, lzfDecode, lzfWalk, lzfWalkBatch } from './lzf.ts';
import { LzfEncoder as PlainEncoder } from './lzf-encode-plain.ts';
import { lzfDecode as plainDecode } from './lzf-plain.ts';
import { kernels } from './wasm.ts';

/** A third decoder, which only wants to be right: bytes, or undefined for a broken block. */
function naiveDecode(block: readonly number[], size: number): number[] | undefined {
  const out: number[] = [];
  let at = 0;
  const next = () => block[at++] ?? Number.NaN;
  while (at < block.length) {
    const control = next();
    if (control < 0x20) {
      for (let i = 0; i <= control; i++) out.push(next());
    } else {
      const length = (control >> 5) + 2;
      const count = length === 9 ? length + next() : length;
      const distance = ((control & 0x1f) << 8) + next() + 1;
      if (Number.isNaN(count + distance) || distance > out.length) return undefined;
      for (let i = 0; i < count; i++) out.push(out[out.length - distance]);
    }
    if (out.length > size || Number.isNaN(out[out.length - 1])) return undefined;
  }
  return out.length === size ? out : undefined;
}

const text = (bytes: Iterable<number>) => Buffer.from([...bytes]).toString('latin1');

const BINARY = openSync(process.execPath, 'r');

/** A page of a real program. */
function pageOfBinary(number: number): Uint8Array {
  const page = new Uint8Array(4096);
  readSync(BINARY, page, 0, page.length, number * 4096);
  return page;
}

/** Compressible pages of many kinds. */
const pages = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 5000 }),
  fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 1, maxLength: 9000 }).map((bytes) => Uint8Array.from(bytes)),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 4096 }))
    .map(([unit, length]) => Uint8Array.from({ length }, (_, i) => unit[i % unit.length])),
  fc.nat({ max: 10_000 }).map(pageOfBinary),
);

describe('kernels.wasm', () => {
  it('is built, so that the tests below compare both twins', () => {
    expect(kernels !== undefined || process.env.SAVKIT_NO_WASM === '1').toBe(true);
  });
});

// The worked examples of vectors.md.
const EXAMPLES: [name: string, page: Uint8Array, block: string][] = [
  ['one byte', Buffer.from('a'), '00 61'],
  ['12 equal bytes', Buffer.from('a'.repeat(12)), '01 61 61 c0 00 01 61 61'],
  ['a page of zeros', new Uint8Array(4096), `01 00 00 ${'e0 ff 00 '.repeat(15)} e0 7b 00 01 00 00`],
  [
    'PA',
    Uint8Array.from({ length: 4096 }, (_, i) => 1 + (i % 4)),
    `04 01 02 03 04 01 e0 ff 03 ${'e1 ff 07 '.repeat(14)} e1 78 07 01 03 04`,
  ],
  ['PB', new Uint8Array(4096).fill(0xa5), `01 a5 a5 ${'e0 ff 00 '.repeat(15)} e0 7b 00 01 a5 a5`],
];

/** Decodes within the kernels' own memory, without copies. */
const decodeInPlace: typeof lzfDecode = (source, at, length, target, to, size) => {
  const block = takeBuffer(source.length);
  const page = takeBuffer(target.length);
  block.set(source);
  page.set(target);
  const isGood = lzfDecode(block, at, length, page, to, size);
  target.set(page);
  for (const buffer of [block, page]) returnBuffer(buffer);
  return isGood;
};

for (const [twin, decode] of [
  ['lzfDecode()', lzfDecode],
  ['lzfDecode() in the memory of the kernels', decodeInPlace],
  ['lzfDecode() in plain TypeScript', plainDecode],
] as const) {
  describe(twin, () => {
    for (const [name, page, block] of EXAMPLES) {
      it(`expands ${name}`, () => {
        const bytes = Buffer.from(block.replaceAll(' ', ''), 'hex');
        const target = new Uint8Array(page.length + 8).fill(9);
        expect(decode(bytes, 0, bytes.length, target, 4, page.length)).toBe(true);
        expect(text(target)).toBe(text([9, 9, 9, 9, ...page, 9, 9, 9, 9]));
      });
    }

    it('says what a naive decoder says of any bytes, and writes only where it may', () => {
      const block = fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0, 1, 2, 0x20, 0x40, 0xe0)), {
        maxLength: 120,
      });
      fc.assert(
        fc.property(block, fc.nat({ max: 400 }), (bytes, size) => {
          const expected = naiveDecode(bytes, size);
          const target = new Uint8Array(size + 80).fill(7);
          expect(decode(Uint8Array.from(bytes), 0, bytes.length, target, 40, size)).toBe(expected !== undefined);
          if (expected) expect(text(target.subarray(40, 40 + size))).toBe(text(expected));
          expect(text(target.subarray(0, 40)) + text(target.subarray(40 + size))).toBe('\x07'.repeat(80));
        }),
        { numRuns: 3000 },
      );
    });
  });
}

describe('lzfWalk()', () => {
  it('has the verdict of decoding, also on damaged blocks', () => {
    const encoder = createLzfEncoder();
    fc.assert(
      fc.property(pages, fc.nat(), fc.integer({ min: 0, max: 255 }), (page, where, byte) => {
        const block = new Uint8Array(page.length * 2 + 64);
        const length = encoder.encode(page, 0, page.length, block, 0, block.length);
        if (length === 0) return;
        block[where % length] = byte;
        const verdict = naiveDecode([...block.subarray(0, length)], page.length) !== undefined;
        const target = new Uint8Array(page.length);
        expect(lzfWalk(block, 0, length, page.length)).toBe(verdict);
        const inPlace = takeBuffer(length);
        inPlace.set(block.subarray(0, length));
        expect(lzfWalk(inPlace, 0, length, page.length)).toBe(verdict);
        returnBuffer(inPlace);
        expect(lzfDecode(block, 0, length, target, 0, page.length)).toBe(verdict);
        expect(plainDecode(block, 0, length, target, 0, page.length)).toBe(verdict);
      }),
      { numRuns: 1500 },
    );
  });
});

describe('lzfWalkBatch()', () => {
  it('is true where every block of a kind walks well, wherever the others stand', () => {
    const encoder = createLzfEncoder();
    const SIZE = 4096;
    const damage = fc.record({ page: fc.nat({ max: 29 }), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(
        fc.nat({ max: 30 }),
        fc.nat({ max: 9000 }),
        fc.option(damage),
        fc.boolean(),
        (count, first, hit, inKernels) => {
          const bytes = inKernels ? takeBuffer(31 * 5000) : new Uint8Array(31 * 5000);
          const batch = { encoding: new Uint8Array(31), at: new Uint32Array(31), length: new Uint32Array(31) };
          for (let i = 0; i < count; i++) {
            batch.at[i] = i * 5000 + 3;
            batch.encoding[i] = i % 5 === 4 ? 1 : 2;
            batch.length[i] = encoder.encode(pageOfBinary(first + i), 0, SIZE, bytes, batch.at[i], 4990);
            if (hit?.page === i) bytes[batch.at[i] + (hit.at % batch.length[i])] = hit.byte;
          }
          const expected = Array.from({ length: count }, (_, i) => i).every(
            (i) =>
              batch.encoding[i] !== 2 ||
              naiveDecode([...bytes.subarray(batch.at[i], batch.at[i] + batch.length[i])], SIZE) !== undefined,
          );
          expect(lzfWalkBatch(bytes, batch, count, 2, SIZE)).toBe(expected);
          returnBuffer(bytes);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('createLzfEncoder()', () => {
  it('compresses any page so that a naive decoder gives it back, as its twin does, byte for byte', () => {
    const encoder = createLzfEncoder();
    const twin = new PlainEncoder();
    fc.assert(
      fc.property(pages, (page) => {
        const block = new Uint8Array(page.length * 2 + 64);
        const other = new Uint8Array(page.length * 2 + 64);
        const length = encoder.encode(page, 0, page.length, block, 0, block.length);
        expect(length).toBeGreaterThan(0);
        expect(text(naiveDecode([...block.subarray(0, length)], page.length) ?? [])).toBe(text(page));
        expect(twin.encode(page, 0, page.length, other, 0, other.length)).toBe(length);
        expect(text(other.subarray(0, length))).toBe(text(block.subarray(0, length)));
        const target = takeBuffer(length + 12).fill(7);
        expect(encoder.encode(page, 0, page.length, target, 4, length + 4)).toBe(length);
        expect(text(target.subarray(0, length + 4))).toBe(text([7, 7, 7, 7, ...block.subarray(0, length)]));
        expect([...target.subarray(length + 8)]).toEqual([7, 7, 7, 7]);
        returnBuffer(target);
      }),
      { numRuns: 400 },
    );
  });

  it('gives 0 when the block would not fit its limit, and writes nothing beyond that', () => {
    const page = randomPage();
    for (const encoder of [createLzfEncoder(), new PlainEncoder()]) {
      const needed = encoder.encode(page, 0, page.length, new Uint8Array(8192), 0, 8192);
      const target = new Uint8Array(8192);
      expect(encoder.encode(page, 0, page.length, target, 0, needed)).toBe(needed);
      target.fill(0);
      expect(encoder.encode(page, 0, page.length, target, 0, needed - 1)).toBe(0);
      expect(target.subarray(needed - 1).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('refuses blocks that its table cannot address', () => {
    for (const encoder of [createLzfEncoder(), new PlainEncoder()])
      expect(encoder.encode(new Uint8Array(70_000), 0, 65_535, new Uint8Array(70_000), 0, 70_000)).toBe(0);
  });
});
