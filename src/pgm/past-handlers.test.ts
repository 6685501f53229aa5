import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { GuestMemory } from './guest-memory.ts';
import { scanMemory } from './scan-memory.ts';
import { readSimple, writeSimple } from './simple-access.ts';
import { bytesAt, refused } from './testing/memory-checks.ts';

function newMemory(): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, MIB, 'Base RAM');
  memory.mmio.register(0x20000, PAGE_SIZE, 'registers', () => 'done');
  return memory;
}

describe('simple accesses', () => {
  it('pass handlers by, and set the dirty state', () => {
    const memory = newMemory();
    let calls = 0;
    memory.handlers.register({
      kind: 'all',
      start: 0x1000,
      end: 0x3000,
      description: 'watch',
      callback: () => {
        calls++;
        return 'done';
      },
    });
    writeSimple(memory, 0x1ffe, Uint8Array.of(1, 2, 3, 4));
    memory.monitor.engage('test');
    memory.monitor.take(new Uint32Array(8));
    writeSimple(memory, 0x2001, Uint8Array.of(9));
    const bytes = new Uint8Array(4);
    readSimple(memory, 0x1ffe, bytes);
    expect([[...bytes], calls, memory.ranges.all[0].wasWritten(2)]).toEqual([[1, 2, 3, 9], 0, true]);
  });

  it('stop at the first page that cannot be read or written', () => {
    const memory = newMemory();
    memory.balloon.inflate([0x4000]);
    const bytes = new Uint8Array(0x2000).fill(7);
    refused(() => writeSimple(memory, MIB - 0x1000, bytes), 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS');
    expect(bytesAt(memory, MIB - 1, 1)).toEqual([7]);
    refused(() => writeSimple(memory, 0x1f000, bytes), 'VERR_PGM_PHYS_PAGE_RESERVED');
    refused(() => writeSimple(memory, 0x4000, bytes), 'VERR_PGM_PHYS_PAGE_BALLOONED');
    refused(() => readSimple(memory, 0x20000, bytes), 'VERR_PGM_PHYS_PAGE_RESERVED');
    refused(() => readSimple(memory, 2 * MIB, bytes), 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS');
    readSimple(memory, 0x4000, bytes);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    memory.setNoMorePhysWrites(true);
    expect(() => writeSimple(memory, 0, bytes)).toThrow(expect.objectContaining({ code: 'no-more-writes' }));
  });
});

describe('scanMemory()', () => {
  it('finds what a search in a flat copy finds', () => {
    const piece = fc.tuple(fc.nat(5 * PAGE_SIZE), fc.uint8Array({ minLength: 1, maxLength: 5, max: 2 }));
    const needle = fc.uint8Array({ minLength: 1, maxLength: 6, max: 2 });
    const bound = fc.nat(6 * PAGE_SIZE);
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        needle,
        bound,
        bound,
        fc.constantFrom(1, 4, PAGE_SIZE),
        (pieces, wanted, a, b, align) => {
          const memory = new GuestMemory();
          memory.registerRam(0, 8 * PAGE_SIZE, 'Base RAM');
          for (const [at, bytes] of pieces) memory.write(at, bytes);
          const flat = Buffer.alloc(Math.max(a, b));
          memory.read(0, flat);
          let expected = flat.indexOf(wanted, Math.min(a, b));
          while (expected >= 0 && expected % align !== 0) expected = flat.indexOf(wanted, expected + 1);
          expect(scanMemory(memory, Math.min(a, b), Math.max(a, b), wanted, align) ?? -1).toBe(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('finds nothing across registers and holes', () => {
    const memory = newMemory();
    memory.registerRam(2 * MIB, PAGE_SIZE, 'more');
    for (const at of [0x1fffe, 0x21000, MIB - 2, 2 * MIB]) memory.write(at, Uint8Array.of(1, 1));
    expect(scanMemory(memory, 0, 4 * MIB, Uint8Array.of(1, 1, 1))).toBeUndefined();
    expect(scanMemory(memory, 0x20000, 4 * MIB, Uint8Array.of(1, 1))).toBe(0x21000);
  });

  it('refuses needles of no or very many bytes', () => {
    for (const size of [0, 257])
      expect(() => scanMemory(newMemory(), 0, 1, new Uint8Array(size))).toThrow(
        expect.objectContaining({ code: 'bad-needle' }),
      );
  });
});
