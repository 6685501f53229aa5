import { describe, expect, it } from 'vitest';
import { mapCore } from './core-maps.ts';
import type { Vmcoreinfo } from './vmcoreinfo.ts';

const RAM = [{ start: 0, end: 2 ** 32 }];
/** Every fourth page, each at a virtual address of its own; the last four stretches are larger. */
const stretches = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    virtual: BigInt(i + 1) << 32n,
    gcPhys: 0x4000 * i,
    size: i < count - 4 ? 0x1000 : 0x2000,
  }));
const linux: Vmcoreinfo = {
  text: new Uint8Array(),
  release: '6.1',
  numbers: new Map(),
  symbols: new Map(),
  offsets: new Map(),
};

describe('mapCore()', () => {
  it('has all mappings where they are some thousands, and physical addresses of a guest that is not Linux', () => {
    const { stretches: found, complete } = mapCore(RAM, { stretches: stretches(1000), complete: true }, []);
    expect(complete).toBe(true);
    expect(found.filter(({ vaddr, start }) => vaddr === BigInt(start)).length).toBe(2000);
    expect(found.length).toBe(3000);
  });

  it('keeps the largest where they are more: few of a guest that is not Linux', () => {
    const all = { stretches: stretches(10_000), complete: true };
    const other = mapCore(RAM, all, []);
    expect(other.complete).toBe(false);
    expect(other.stretches.length).toBeLessThanOrEqual(144);
    expect(other.stretches.filter(({ vaddr }) => vaddr === 10_000n << 32n).length).toBe(1);
    const ofLinux = mapCore(RAM, { ...all, vmcoreinfo: linux }, []);
    expect(ofLinux.complete).toBe(false);
    expect(ofLinux.stretches.length).toBeGreaterThan(4000);
    expect(ofLinux.stretches.length).toBeLessThanOrEqual(4096);
  });

  it('says so where the page tables hold more than was listed', () => {
    expect(mapCore(RAM, { stretches: [], complete: false }, []).complete).toBe(false);
  });
});
