import { describe, expect, it } from 'vitest';
import { FlatMemory } from '../../paging/testing/flat-memory.ts';
import { upperHalfOf } from './upper-half.ts';

const LONG = { cr0: 0x80000011n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };
const FIVE_LEVELS = { ...LONG, cr4: 0x1020n };
const PAE = { ...LONG, efer: 0n };
const PLAIN = { ...LONG, cr4: 0x10n, efer: 0n };
const memoryOf = (...entries: [table: number, index: number, value: bigint][]) => {
  const memory = new FlatMemory(new Uint8Array(0x20000));
  for (const [table, index, value] of entries) memory.writeU64(table + 8 * index, value);
  return memory;
};

describe('upperHalfOf()', () => {
  it('lists the upper half in four levels, neighbours together', async () => {
    const memory = memoryOf(
      [0x1000, 0, 0x2063n],
      [0x1000, 256, 0x2063n],
      [0x2000, 0, 0x3063n],
      [0x3000, 1, 0x4063n],
      [0x4000, 511, 0x9001n],
      [0x3000, 2, 0x8000e3n],
    );
    memory.writeU64(0x4000, 0x8001n);
    memory.writeU64(0x4008, 0x9001n);
    expect(await upperHalfOf(memory, LONG)).toEqual({
      stretches: [
        { virtual: 0xffff800000200000n, gcPhys: 0x8000, size: 0x2000 },
        { virtual: 0xffff8000003ff000n, gcPhys: 0x9000, size: 0x1000 },
        { virtual: 0xffff800000400000n, gcPhys: 0x800000, size: 0x200000 },
      ],
      complete: true,
    });
  });

  it('lists the upper half in five levels', async () => {
    const memory = memoryOf(
      [0x1000, 3, 0x2063n],
      [0x1000, 273, 0x2063n],
      [0x2000, 0, 0x3063n],
      [0x3000, 0, 0x800000e3n],
    );
    memory.writeU64(0x1000 + 8 * 511, 0x5063n);
    memory.writeU64(0x5000 + 8 * 511, 0x6063n);
    memory.writeU64(0x6000 + 8 * 510, 0x400000e3n);
    expect((await upperHalfOf(memory, FIVE_LEVELS)).stretches).toEqual([
      { virtual: 0xff11000000000000n, gcPhys: 0x80000000, size: 0x40000000 },
      { virtual: 0xffffffff80000000n, gcPhys: 0x40000000, size: 0x40000000 },
    ]);
  });

  it('lists the upper half in 32 bits', async () => {
    const pae = memoryOf([0x1000, 0, 0x2001n], [0x1000, 3, 0x2001n], [0x2000, 0, 0x4000e3n]);
    expect((await upperHalfOf(pae, PAE)).stretches).toEqual([
      { virtual: 0xc0000000n, gcPhys: 0x400000, size: 0x200000 },
    ]);
    const plain = new FlatMemory(new Uint8Array(0x4000));
    plain.writeU32(0x1000 + 4 * 0x300, 0x400083);
    plain.writeU32(0x1000 + 4 * 0x1ff, 0x800083);
    expect((await upperHalfOf(plain, PLAIN)).stretches).toEqual([
      { virtual: 0xc0000000n, gcPhys: 0x400000, size: 0x400000 },
    ]);
  });

  it('lists a page four times that is mapped again and again', async () => {
    const memory = memoryOf([0x1000, 510, 0x2063n], [0x2000, 0, 0x3063n]);
    for (let i = 0; i < 512; i++) {
      memory.writeU64(0x3000 + 8 * i, 0x4063n);
      memory.writeU64(0x4000 + 8 * i, 0x5063n);
    }
    const stretches = [0n, 1n, 2n, 3n].map((i) => ({
      virtual: 0xffffff0000000000n + 0x1000n * i,
      gcPhys: 0x5000,
      size: 0x1000,
    }));
    expect(await upperHalfOf(memory, LONG)).toEqual({ stretches, complete: true });
  });

  it('ends where tables name themselves', async () => {
    const memory = memoryOf(...Array.from({ length: 512 }, (_, i): [number, number, bigint] => [0x1000, i, 0x1063n]));
    const { stretches, complete } = await upperHalfOf(memory, LONG);
    expect(complete).toBe(false);
    expect(stretches.map(({ gcPhys }) => gcPhys)).toEqual([0x1000, 0x1000, 0x1000, 0x1000]);
  });

  it('prefers the longest addresses of a page', async () => {
    const memory = memoryOf([0x1000, 510, 0x2063n], [0x2000, 0, 0x3063n], [0x3000, 0, 0x4063n], [0x3000, 3, 0x6000e3n]);
    for (let i = 0; i < 16; i += 2) memory.writeU64(0x4000 + 8 * i, 0x600063n);
    const { stretches } = await upperHalfOf(memory, LONG);
    expect(stretches.length).toBe(4);
    expect(stretches).toContainEqual({ virtual: 0xffffff0000600000n, gcPhys: 0x600000, size: 0x200000 });
  });

  it('lists nothing without paging', async () => {
    expect(await upperHalfOf(memoryOf(), { ...LONG, cr0: 0x11n })).toEqual({ stretches: [], complete: true });
  });
});
