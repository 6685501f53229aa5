import { describe, expect, it } from 'vitest';
import { FOUR_GIB, GIB, MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { HostMemory } from '../../gmm/host-memory.ts';
import { checkIntegrity } from '../memory-integrity.ts';
import { PageState } from '../pages/page-states.ts';
import { bytesAt, refused } from '../testing/memory-checks.ts';
import { readMemoryConfig } from './memory-config.ts';
import { finaliseMemory, resetRam, setUpMemory } from './memory-life.ts';

describe('readMemoryConfig()', () => {
  it("has VirtualBox's defaults", () => {
    expect(readMemoryConfig({})).toEqual({
      ramSize: 0,
      ramHoleSize: 512 * MIB,
      ramPreAlloc: false,
      maxRing3Chunks: 0xffffffff,
      policy: 'no-over-commitment',
      priority: 'normal',
      pool: { poolPages: 1024, extents: 0x3fff },
    });
  });

  it('rounds RAM down to pages, and pool pages up to 16', () => {
    const config = readMemoryConfig({
      RamSize: 64 * MIB + 4097,
      'PGM/Pool/MaxPages': 17,
      'MM/Policy': 'No Overcommitment',
      Priority: 'LOW',
    });
    expect(config).toMatchObject({ ramSize: 64 * MIB + 4096, pool: { poolPages: 32 }, priority: 'low' });
  });

  it('refuses what VirtualBox refuses', () => {
    for (const values of [
      { RamSize: 0xfffffff1000 },
      { RamHoleSize: 16 * MIB },
      { RamHoleSize: 4036 * MIB },
      { RamHoleSize: 17 * MIB },
    ])
      refused(() => readMemoryConfig(values), 'VERR_OUT_OF_RANGE');
    for (const values of [
      { 'PGM/Pool/MaxPages': 15 },
      { 'PGM/Pool/MaxPages': 0x4000 },
      { 'PGM/Pool/MaxUsers': 1000 },
      { 'PGM/Pool/MaxUsers': 32769 },
      { 'PGM/Pool/MaxPhysExts': 15 },
      { 'MM/Policy': 'all' },
      { 'MM/Priority': 'urgent' },
      { RamSize: -1 },
      { RamPreAlloc: 1 },
    ])
      refused(() => readMemoryConfig(values), 'VERR_INVALID_PARAMETER');
  });
});

describe('the life of memory', () => {
  it('begins with RAM below the hole and above 4 GiB', () => {
    const memory = setUpMemory(readMemoryConfig({ RamSize: 5 * GIB, RamHoleSize: 1 * GIB }));
    expect(memory.ranges.all.map(({ start, end, description }) => [start, end, description])).toEqual([
      [0, 3 * GIB, 'Base RAM'],
      [FOUR_GIB, FOUR_GIB + 2 * GIB, 'Above 4GB Base RAM'],
    ]);
    expect(memory.pages.counts.zero).toBe((5 * GIB) / PAGE_SIZE);
    expect(memory.pages.backing.account.allocated.base).toBe(0);
  });

  it('is refused by a host without the memory, which loses nothing', () => {
    const host = new HostMemory({ maxPages: 512 });
    expect(() => setUpMemory(readMemoryConfig({ RamSize: 4 * MIB }), host)).toThrow(
      expect.objectContaining({ code: 'reservation-declined' }),
    );
    expect(host.figures.reservedPages).toBe(0);
  });

  it('allocates all RAM up front where that is wanted', () => {
    const config = readMemoryConfig({ RamSize: MIB, RamPreAlloc: true });
    const memory = setUpMemory(config);
    memory.roms.register({ start: 0xf0000, size: PAGE_SIZE, description: 'BIOS' });
    finaliseMemory(memory, config);
    expect(memory.pages.counts).toMatchObject({ zero: 0, private: 256 });
    memory.fill(0, MIB, 1);
    resetRam(memory, config);
    expect([memory.pages.counts.private, bytesAt(memory, 0x5000, 1)]).toEqual([256, [0]]);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('goes on after a reset as at power-on', () => {
    const config = readMemoryConfig({ RamSize: MIB });
    const memory = setUpMemory(config);
    memory.mmio2.register({ device: 'vga', instance: 0, region: 0, size: PAGE_SIZE, description: 'VRam' });
    memory.mmio2.map('vga', 0, 0, 2 * MIB);
    memory.mmio.register(3 * MIB, PAGE_SIZE, 'device', () => 'done');
    memory.handlers.alias(3 * MIB, 3 * MIB, 2 * MIB);
    memory.fill(0, 0x10000, 1);
    memory.fill(2 * MIB, PAGE_SIZE, 2);
    memory.monitor.engage('test');
    memory.monitor.take(new Uint32Array(16));
    memory.balloon.inflate([0x1000, 0x30000]);
    const lock = memory.locks.lockForWriting(0x2000);
    resetRam(memory, config);
    expect(memory.pages.counts).toMatchObject({ private: 2, monitored: 0, ballooned: 0, writeLocked: 1 });
    expect([lock.bytes[0], bytesAt(memory, 2 * MIB, 1)]).toEqual([0, [2]]);
    lock.bytes[0] = 9;
    expect(bytesAt(memory, 0x2000, 1)).toEqual([9]);
    expect(memory.pages.backing.account.balloonedPages).toBe(0);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('gives all pages back at its end, shared ones included', () => {
    const host = new HostMemory();
    const memory = setUpMemory(readMemoryConfig({ RamSize: MIB }), host);
    memory.fill(0, 0x10000, 1);
    const [ram] = memory.ranges.all;
    memory.pages.backing.account.sharePage(ram.pageId[0]);
    memory.pages.apply('share', ram, 0);
    memory.close();
    expect(host.figures).toMatchObject({
      allocatedPages: 0,
      sharedPages: 0,
      reservedPages: 0,
      leftBehindSharedPages: 0,
    });
  });
});

describe('a page lock', () => {
  it('gives a device the page itself', () => {
    const memory = setUpMemory(readMemoryConfig({ RamSize: MIB }));
    const writing = memory.locks.lockForWriting(0x3123);
    writing.bytes[0x123] = 5;
    const reading = memory.locks.lockForReading(0x3000);
    expect([bytesAt(memory, 0x3123, 1), reading.bytes[0x123]]).toEqual([[5], 5]);
    expect(memory.pages.counts).toMatchObject({ writeLocked: 1, readLocked: 1 });
    for (const lock of [writing, writing, reading]) lock.release();
    expect(memory.pages.counts).toMatchObject({ writeLocked: 0, readLocked: 0 });
  });

  it('is refused where no page is', () => {
    const memory = setUpMemory(readMemoryConfig({ RamSize: MIB }));
    memory.mmio.register(2 * MIB, PAGE_SIZE, 'device', () => 'done');
    memory.balloon.inflate([0x1000]);
    for (const lock of [memory.locks.lockForWriting, memory.locks.lockForReading]) {
      refused(() => lock.call(memory.locks, 2 * MIB), 'VERR_PGM_PHYS_PAGE_RESERVED');
      refused(() => lock.call(memory.locks, 8 * MIB), 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS');
    }
    refused(() => memory.locks.lockForWriting(0x1000), 'VERR_PGM_PHYS_PAGE_BALLOONED');
    expect(memory.locks.lockForReading(0x1000).bytes).toEqual(new Uint8Array(PAGE_SIZE));
  });

  it('keeps its page from being freed for a device', () => {
    const memory = setUpMemory(readMemoryConfig({ RamSize: MIB }));
    const lock = memory.locks.lockForReading(0x3000);
    refused(() => memory.mmio.register(0x2000, 4 * PAGE_SIZE, 'device', () => 'done'), 'VERR_PGM_RAM_CONFLICT');
    lock.release();
    memory.mmio.register(0x2000, 4 * PAGE_SIZE, 'device', () => 'done');
  });

  it('is for good from the 254th on', () => {
    const memory = setUpMemory(readMemoryConfig({ RamSize: MIB }));
    const locks = Array.from({ length: 260 }, () => memory.locks.lockForReading(0));
    expect(memory.ranges.all[0].readLocks[0]).toBe(254);
    for (const lock of locks) lock.release();
    expect([memory.ranges.all[0].readLocks[0], memory.pages.counts.readLocked]).toEqual([254, 1]);
    const few = Array.from({ length: 253 }, () => memory.locks.lockForReading(0x1000));
    for (const lock of few) lock.release();
    expect([memory.ranges.all[0].readLocks[1], memory.pages.counts.readLocked]).toEqual([0, 1]);
  });
});

describe('a large page', () => {
  const BLOCK = 2 * MIB;

  function newMemory(host = new HostMemory()) {
    const memory = setUpMemory(readMemoryConfig({ RamSize: 8 * MIB }), host);
    memory.largePages.isEnabled = true;
    return { memory, ram: memory.ranges.all[0] };
  }

  it('is allocated as a whole at its first write', () => {
    const { memory, ram } = newMemory();
    memory.write(BLOCK + 0x5000, Uint8Array.of(1));
    expect([ram.state[511], ...ram.state.subarray(512, 514), ram.state[1024]]).toEqual([0, 1, 1, 0]);
    expect(ram.pageId[1023] - ram.pageId[512]).toBe(511);
    expect(memory.pages.counts).toMatchObject({ private: 512, zero: 2048 - 512 });
    expect(memory.largePages.map(BLOCK + 7)).toBe(ram.pageId[512]);
    expect(memory.largePages.counts).toEqual({ allocated: 1, reused: 1, refused: 0, rechecked: 0 });
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('is refused once and for all where a page of it is not zero', () => {
    const { memory, ram } = newMemory();
    memory.largePages.isEnabled = false;
    memory.write(BLOCK + 0x5000, Uint8Array.of(1));
    memory.largePages.isEnabled = true;
    memory.write(BLOCK, Uint8Array.of(1));
    memory.write(BLOCK + 0x1000, Uint8Array.of(1));
    expect([memory.largePages.counts.refused, ram.state[515]]).toEqual([1, PageState.ZERO]);
    refused(() => memory.largePages.map(BLOCK), 'VERR_PGM_INVALID_LARGE_PAGE_RANGE');
  });

  it('is taken apart by a handler, and put together again', () => {
    const { memory } = newMemory();
    memory.write(BLOCK, Uint8Array.of(1));
    memory.handlers.register({
      kind: 'write',
      start: BLOCK + 0x3000,
      end: BLOCK + 0x4000,
      description: 'watch',
      callback: () => 'default',
    });
    refused(() => memory.largePages.map(BLOCK), 'VERR_PGM_INVALID_LARGE_PAGE_RANGE');
    memory.handlers.deregister(BLOCK + 0x3000);
    memory.largePages.map(BLOCK);
    expect(memory.largePages.counts).toMatchObject({ reused: 0, rechecked: 2 });
  });

  it('is never one again when a page of it was freed', () => {
    const { memory } = newMemory();
    memory.write(BLOCK, Uint8Array.of(1));
    memory.balloon.inflate([BLOCK + 0x7000]);
    memory.balloon.deflate([BLOCK + 0x7000]);
    memory.write(BLOCK + 0x7000, Uint8Array.of(1));
    refused(() => memory.largePages.map(BLOCK), 'VERR_PGM_INVALID_LARGE_PAGE_RANGE');
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('is monitored page by page', () => {
    const { memory } = newMemory();
    memory.write(BLOCK, Uint8Array.of(1));
    memory.monitor.engage('test');
    expect(memory.monitor.take(new Uint32Array(1024))).toBe(512);
    refused(() => memory.largePages.map(BLOCK), 'VERR_PGM_INVALID_LARGE_PAGE_RANGE');
    memory.monitor.release('test');
    memory.largePages.map(BLOCK);
  });

  it('is zero after a reset, and still in one piece', () => {
    const { memory } = newMemory();
    memory.fill(BLOCK, BLOCK, 1);
    resetRam(memory, { ramPreAlloc: false });
    expect([bytesAt(memory, BLOCK + 0x9000, 1), memory.pages.counts.private]).toEqual([[0], 512]);
    memory.largePages.map(BLOCK);
  });

  it('goes out of use when the host has no 2 MiB in one piece', () => {
    const { memory } = newMemory(new HostMemory({ maxPages: 2048 + 128 + 2 }));
    memory.pages.backing.host.limitChunks(1);
    memory.write(0, Uint8Array.of(1));
    expect([memory.largePages.isEnabled, memory.pages.counts.private]).toEqual([true, 512]);
    refused(() => memory.write(BLOCK, Uint8Array.of(1)), 'VERR_EM_NO_MEMORY');
    expect(memory.largePages.isEnabled).toBe(false);
  });
});
