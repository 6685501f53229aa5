import { describe, expect, it } from 'vitest';
import { FOUR_GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { GuestMemory } from './guest-memory.ts';
import { PageState } from './pages/page-states.ts';
import { bytesAt, refused } from './testing/memory-checks.ts';

function newMemory(): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, 4 * MIB, 'Base RAM');
  memory.registerRam(FOUR_GIB, 2 * MIB, 'Above 4GB Base RAM');
  return memory;
}

describe('GuestMemory', () => {
  it('gives back what was written, across pages, and zeros elsewhere', () => {
    const memory = newMemory();
    const source = Uint8Array.from({ length: 3 * PAGE_SIZE }, (_, i) => i % 251);
    memory.write(FOUR_GIB + 100, source);
    expect(bytesAt(memory, FOUR_GIB + 98, 3 * PAGE_SIZE + 4)).toEqual([0, 0, ...source, 0, 0]);
  });

  it('takes no memory for pages that were only read', () => {
    const memory = newMemory();
    expect(bytesAt(memory, 0x1000, 16)).toEqual(Array(16).fill(0));
    expect(memory.pages.counts).toMatchObject({ zero: 1536, private: 0, all: 1536 });
  });

  it('reads 0xff where there is nothing, and drops writes there', () => {
    const memory = newMemory();
    memory.write(4 * MIB - 2, Uint8Array.of(1, 2, 3, 4));
    expect(bytesAt(memory, 4 * MIB - 2, 4)).toEqual([1, 2, 0xff, 0xff]);
  });

  it('reads and writes 32 and 64 bits, also across pages', () => {
    const memory = newMemory();
    for (const at of [0x2000, 0x2ffe]) {
      memory.writeU64(at, 0xfedc_ba98_7654_3210n);
      expect(memory.readU64(at)).toBe(0xfedc_ba98_7654_3210n);
      expect(memory.readU32(at + 4)).toBe(0xfedcba98);
      memory.writeU32(at + 4, -1);
      expect(memory.readU64(at)).toBe(0xffff_ffff_7654_3210n);
    }
  });

  it('masks bit 20 of guest addresses while A20 is off, and of no device address', () => {
    const memory = newMemory();
    memory.write(0, Uint8Array.of(1));
    memory.write(MIB, Uint8Array.of(2));
    memory.a20.set(0, false);
    expect(bytesAt(memory, MIB, 1)).toEqual([1]);
    const seen = new Uint8Array(1);
    memory.read(MIB, seen, 'device');
    expect([...seen]).toEqual([2]);
    memory.write(MIB - 1, Uint8Array.of(8, 9));
    memory.a20.set(0, true);
    expect([...bytesAt(memory, MIB - 1, 2), ...bytesAt(memory, 0, 1)]).toEqual([8, 2, 9]);
  });

  it('lets each CPU reach memory through its own A20 gate', () => {
    const memory = newMemory();
    memory.a20.set(2, false);
    memory.writeU32(MIB, 0x11111111, 0);
    memory.writeU32(MIB, 0x22222222, 2);
    expect([memory.readU32(MIB), memory.readU32(0)]).toEqual([0x11111111, 0x22222222]);
    expect([memory.readU32(MIB, 2), memory.readU64(MIB, 1)]).toEqual([0x22222222, 0x11111111n]);
    memory.a20.set(0, false);
    memory.a20.set(2, true);
    expect([memory.readU32(MIB), memory.readU32(MIB, 2)]).toEqual([0x22222222, 0x11111111]);
  });

  it('refuses writes while there are to be no more', () => {
    const memory = newMemory();
    memory.setNoMorePhysWrites(true);
    expect(() => memory.writeU32(0, 1)).toThrow(expect.objectContaining({ code: 'no-more-writes' }));
    memory.setNoMorePhysWrites(false);
    memory.writeU32(0, 1);
    expect(memory.readU32(0)).toBe(1);
  });

  it('notes the first write to a monitored page, by whomever', () => {
    const memory = newMemory();
    const [ram] = memory.ranges.all;
    memory.fill(0, 3 * PAGE_SIZE, 7);
    memory.monitor.engage('test');
    const frames = new Uint32Array(8);
    expect([...frames.subarray(0, memory.monitor.take(frames))]).toEqual([0, 1, 2]);
    expect([...ram.state.subarray(0, 4)]).toEqual([2, 2, 2, 0]);
    memory.write(PAGE_SIZE, Uint8Array.of(1), 'device');
    memory.write(5 * PAGE_SIZE, Uint8Array.of(1), 0);
    expect(ram.state[1]).toBe(PageState.ALLOCATED);
    expect(memory.pages.counts).toMatchObject({ monitored: 2, writtenTo: 1 });
    expect([...frames.subarray(0, memory.monitor.take(frames))]).toEqual([1, 5]);
    expect(memory.monitor.take(frames)).toBe(0);
    refused(() => memory.monitor.engage('other'), 'VERR_PGM_WRITE_MONITOR_ENGAGED');
    memory.monitor.release('test');
    expect(memory.pages.counts).toMatchObject({ monitored: 0, writtenTo: 0, private: 4 });
  });

  it('tells by a short answer that all changed pages were taken, also when they just fitted before', () => {
    const memory = newMemory();
    memory.monitor.engage('test');
    const lock = memory.locks.lockForWriting(0);
    const frames = new Uint32Array(1);
    expect([memory.monitor.take(frames), memory.monitor.take(frames)]).toEqual([1, 0]);
    lock.release();
  });

  it('keeps less than 16 bytes of bookkeeping for a page, the host included', () => {
    const before = process.memoryUsage().arrayBuffers;
    const memory = new GuestMemory();
    const { pages } = memory.registerRam(0, 64 * MIB, 'Base RAM');
    for (let page = 0; page < pages; page++) memory.write(page * PAGE_SIZE, Uint8Array.of(1));
    const { bytes } = memory.pages.backing.host.figures;
    expect((process.memoryUsage().arrayBuffers - before - bytes) / pages).toBeLessThan(16);
  });

  it('refuses ranges that overlap or are no whole pages', () => {
    const memory = newMemory();
    refused(() => memory.registerRam(MIB, PAGE_SIZE, 'x'), 'VERR_PGM_RAM_CONFLICT');
    refused(() => memory.registerRam(8 * MIB, 100, 'x'), 'VERR_INVALID_PARAMETER');
  });
});
