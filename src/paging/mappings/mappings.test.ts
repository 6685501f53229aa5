import { describe, expect, test } from 'vitest';
import { FOUR_GIB, MIB } from '../../../formats/sizes.ts';
import { AddressSpace } from '../address-space.ts';
import { mappingsOf } from '../mappings-of.ts';
import { FlatMemory } from '../testing/flat-memory.ts';
import { Random } from '../testing/random-tables.ts';
import { Cr3MappingArea, DynamicMappingArea } from './dynamic-area.ts';
import type { GuestDirectory } from './guest-directory.ts';
import { MAPPING_UNIT } from './guest-mapping.ts';
import { GuestMappings } from './guest-mappings.ts';
import { HypervisorPages } from './hypervisor-pages.ts';
import { INTERMEDIATE_PAGES, IntermediateContext } from './intermediate-context.ts';

/** Frames from 16 on, so that the tables can be walked in one flat memory. */
function newContext(): IntermediateContext {
  let frame = 16;
  return new IntermediateContext(() => frame++);
}

/** The address space of a processor that runs on the context's tables. */
function spaceOn(context: IntermediateContext, mode: '32-bit' | 'pae' | 'long'): AddressSpace {
  const memory = new FlatMemory(new Uint8Array(32 * 4096));
  for (const [i, frame] of context.frames.entries())
    memory.bytes.set(context.bytes.subarray(i * 4096, i * 4096 + 4096), frame * 4096);
  const cr3 = { '32-bit': context.cr3Of32Bit, pae: context.cr3OfPae, long: context.cr3OfLong }[mode];
  return new AddressSpace(memory, {
    cr0: 0x80000001n,
    cr3: BigInt(cr3),
    cr4: mode === '32-bit' ? 0n : 0x20n,
    efer: mode === 'long' ? 0x500n : 0n,
  });
}

describe('IntermediateContext', () => {
  test('maps a stretch at its virtual and at its physical address, in all three formats', async () => {
    const context = newContext();
    context.add(0xa000_0000, 0x12_3000, 0x3000);
    const expected = [
      [0x12_3000n, 0x12_3000, 0x3000],
      [0xa000_0000n, 0x12_3000, 0x3000],
    ];
    for (const mode of ['32-bit', 'pae'] as const) {
      const { runs } = await mappingsOf(spaceOn(context, mode));
      expect(runs.map(({ virtual, gcPhys, size }) => [virtual, gcPhys, size])).toEqual(expected);
      expect(runs.every(({ writable, user }) => writable && !user)).toBe(true);
    }
  });

  test('repeats the same 4 GiB through all of the 48 bits', () => {
    const context = newContext();
    context.add(0xa000_0000, 0x12_3000, 0x1000);
    const space = spaceOn(context, 'long');
    for (const base of [0n, 1n << 32n, 127n << 32n, 1n << 39n, 0xffff_8000_0000_0000n]) {
      expect(space.translate(base + 0xa000_0010n)).toMatchObject({ status: 'mapped', gcPhys: 0x12_3010 });
      expect(space.translate(base + 0x12_3010n)).toMatchObject({ status: 'mapped', gcPhys: 0x12_3010 });
    }
  });

  test('has twelve pages, some of them low', () => {
    const wanted: boolean[] = [];
    new IntermediateContext((low) => wanted.push(low));
    expect(wanted.length).toBe(12);
    expect(wanted.filter((low) => low).length).toBe(INTERMEDIATE_PAGES.filter(({ low }) => low).length);
    expect(() => new IntermediateContext((low) => (low ? undefined : 5))).toThrow(
      /no page for the 32-bit page directory/,
    );
    expect(() => new IntermediateContext(() => FOUR_GIB / 4096)).toThrow(/no page/);
  });

  test('refuses what it cannot map', () => {
    const context = newContext();
    context.add(0xa000_0000, 0x12_3000, 0x1000);
    for (const [virtual, physical, size] of [
      [0x30_0000, 0x12_4000, 0x1000], // a virtual address in the 4 MiB of identity addresses
      [0xa000_1000, 0xa000_5000, 0x1000], // the other way round
      [0xa000_1000, 0x52_3000, 0x1000], // the place of 0x123000 in the table of identity addresses
      [0x12_4000, 0x12_5000, 0x2000], // a virtual range over its own physical one
      [0xa000_0000, FOUR_GIB, 0x1000],
      [0xa000_0000, 0x12_4000, 0x20_1000],
      [0xa01f_f000, 0x12_4000, 0x2000],
      [0xa000_0001, 0x12_4000, 0x1000],
    ]) {
      expect(() => context.add(virtual, physical, size)).toThrow(/^Cannot add/);
    }
    context.finalise();
    expect(() => context.add(0xa000_1000, 0x12_4000, 0x1000)).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_WRONG_ORDER' }),
    );
  });

  test('gives each side of a switch its CR3', () => {
    const context = newContext();
    expect(context.hostCr3('32-bit+G')).toBe(context.cr3Of32Bit);
    expect(context.hostCr3('AMD64+NX')).toBe(context.cr3OfPae);
    expect(['32-bit', 'pae', 'amd64', 'nested', 'ept'].map((mode) => context.guestCr3(mode as 'pae'))).toEqual([
      context.cr3Of32Bit,
      context.cr3OfPae,
      context.cr3OfLong,
      0,
      0,
    ]);
  });
});

const yes = () => true;
const empty: GuestDirectory = { isPresent: () => false, pae: false };
const using = (...addresses: number[]): GuestDirectory => ({
  isPresent: (at) => addresses.some((used) => at === used),
  pae: false,
});

describe('GuestMappings', () => {
  function laidOut(...sizes: number[]): GuestMappings {
    const mappings = new GuestMappings(newContext(), new HypervisorPages().allocate);
    let next = 0xa000_0000;
    sizes.forEach((size, i) => {
      next += mappings.add(next, size, `area ${i}`, yes).size;
    });
    mappings.finalise();
    return mappings;
  }

  test('are checked when they are made', () => {
    const mappings = new GuestMappings(newContext(), new HypervisorPages().allocate);
    expect(mappings.add(0xa000_0000, 3 * MIB, 'first', yes).size).toBe(4 * MIB);
    for (const [start, size, code] of [
      [0xb000_0000, MIB, 'VERR_INVALID_PARAMETER'],
      [0xb000_0000, 65 * MIB, 'VERR_INVALID_PARAMETER'],
      [0xffc0_0000, 8 * MIB, 'VERR_INVALID_PARAMETER'],
      [0xa020_0000, 4 * MIB, 'VERR_PGM_MAPPING_CONFLICT'],
    ] as const) {
      expect(() => mappings.add(start, size, 'second', yes)).toThrow(expect.objectContaining({ vboxCode: code }));
    }
  });

  test('are laid out one after the other, from below the top, around what switches use', () => {
    const context = newContext();
    context.add(0xffc0_0000 - 4 * MIB, 0x12_3000, 0x1000);
    const mappings = new GuestMappings(context, new HypervisorPages().allocate);
    mappings.add(0xa000_0000, 8 * MIB, 'first', yes);
    mappings.add(0xa080_0000, 4 * MIB, 'second', yes);
    mappings.finalise();
    const [first, second] = mappings.all;
    expect([first.start, second.start]).toEqual([0xfec0_0000, 0xff00_0000]);
    expect(first.description).toBe('second');
    expect(() => mappings.finalise()).toThrow(expect.objectContaining({ vboxCode: 'VERR_WRONG_ORDER' }));
  });

  test('fixed: in order from a base that everybody accepts, or nothing changes', () => {
    const mappings = laidOut(4 * MIB, 8 * MIB);
    const before = mappings.all.map(({ start }) => start);
    for (const [base, size, pae, code] of [
      [0x8000_0001, 16 * MIB, false, 'VERR_INVALID_PARAMETER'],
      [0x8000_0000, 8 * MIB, false, 'VERR_PGM_MAPPINGS_FIX_TOO_SMALL'],
      [0x7fc0_0000, 16 * MIB, true, 'VERR_PGM_MAPPINGS_FIX_CONFLICT'],
    ] as const) {
      expect(() => mappings.fix(base, size, pae)).toThrow(expect.objectContaining({ vboxCode: code }));
    }
    mappings.all[1].relocate = (call) => call === 'relocate';
    expect(() => mappings.fix(0x8000_0000, 16 * MIB, false)).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_PGM_MAPPINGS_FIX_REJECTED' }),
    );
    expect(mappings.all.map(({ start }) => start)).toEqual(before);
    mappings.all[1].relocate = yes;
    mappings.fix(0x8000_0000, 16 * MIB, false);
    expect(mappings.all.map(({ start }) => start)).toEqual([0x8000_0000, 0x8080_0000]);
    expect(mappings.fixed).toEqual({ base: 0x8000_0000, size: 16 * MIB });
    expect(mappings.conflictsWith(using(0x8000_0000))).toEqual([]);
    expect(() => mappings.add(0x1000_0000, 4 * MIB, 'late', yes)).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_PGM_MAPPINGS_FIXED' }),
    );
    mappings.unfixAfterLoad();
    expect([mappings.fixed, mappings.restoredFixed?.base]).toEqual([undefined, 0x8000_0000]);
  });

  test('floating: move out of the guest’s way and remember where they were', () => {
    const mappings = laidOut(4 * MIB);
    const [mapping] = mappings.all;
    const places: number[] = [];
    for (let i = 0; i < 10; i++) {
      places.push(mapping.start);
      const directory = using(mapping.start);
      expect(mappings.conflictsWith(directory)).toEqual([mapping]);
      mappings.resolveConflicts(directory);
      expect(mappings.conflictsWith(directory)).toEqual([]);
      expect(places.slice(-8)).not.toContain(mapping.start);
    }
    expect(mapping.conflicts).toBe(10);
    expect(mapping.history.toSorted()).toEqual(places.slice(-8).toSorted());
    const place = mapping.start;
    expect(mappings.resolveConflicts({ isPresent: () => true, pae: true })).toEqual([mapping]);
    expect(mapping.start).toBe(place);
  });

  test('never overlap, and never lie where a switch needs addresses, whatever the guest does', () => {
    const random = new Random(7);
    const context = newContext();
    context.add(0xf000_0000, 0x40_0000, 0x1000);
    const mappings = new GuestMappings(context, new HypervisorPages().allocate);
    for (let i = 0; i < 4; i++)
      mappings.add(
        0xa000_0000 + i * 64 * MIB,
        (1 + random.below(8)) * 4 * MIB,
        `area ${i}`,
        () => random.chance(80) || true,
      );
    mappings.finalise();
    mappings.use();
    for (let i = 0; i < 300; i++) {
      const used = new Set(Array.from({ length: 200 }, () => random.below(1024) * MAPPING_UNIT));
      const directory = { isPresent: (at: number) => used.has(at), pae: random.chance(50) };
      mappings.resolveConflicts(directory);
      expect(mappings.conflictsWith(directory)).toEqual([]);
      mappings.all.forEach((mapping, k) => {
        const next = mappings.all[k + 1];
        if (next) expect(mapping.start + mapping.size).toBeLessThanOrEqual(next.start);
      });
      for (const { address } of mappings.placed) expect(context.usesSlot(address)).toBe(false);
    }
    mappings.disable();
    expect(mappings.placed).toEqual([]);
    expect(mappings.conflictsWith(empty)).toEqual([]);
  });
});

describe('DynamicMappingArea', () => {
  test('shows what was mapped, eight pages at a time, and keeps locked ones', () => {
    const random = new Random(3);
    const area = new DynamicMappingArea(0xa000_0000);
    const locked = area.map(0x5_0000_0123);
    area.lock(locked);
    expect(locked).toBe(0xa000_0123);
    for (let i = 0; i < 500; i++) {
      const host = random.below(20) * 4096 + 0x10_0000_0000;
      const at = area.map(host + 5);
      const entry = Math.floor((at - area.base) / 4096);
      expect(area.entries[entry * 2 + 1] * 2 ** 32 + (area.entries[entry * 2] - 0x61)).toBe(host);
      expect(area.check()).toEqual([]);
    }
    expect(area.map(0x5_0000_0fff)).toBe(0xa000_0fff);
    expect(area.hits).toBeGreaterThan(0);
    area.entries[2] ^= 0x1000;
    expect(area.check()).not.toEqual([]);
  });

  test('has nothing to give when all is locked', () => {
    const area = new DynamicMappingArea(0xa000_0000);
    for (let i = 0; i < 8; i++) area.lock(area.map(i * 4096));
    expect(() => area.map(0x9000)).toThrow(/locked/);
    area.unlock(area.map(0x3000));
    expect(area.map(0x9000)).toBe(0xa000_3000);
  });

  test('the area for roots ends with a fence', () => {
    const area = new Cr3MappingArea(0xa001_0000);
    area.map(0x7000, [0x8000, undefined, 0x9000, undefined]);
    expect([0, 1, 2, 3, 4, 5].map((page) => area.hostAt(area.base + page * 4096))).toEqual([
      0x7000,
      0x8000,
      undefined,
      0x9000,
      undefined,
      undefined,
    ]);
    area.unmap();
    expect(area.hostAt(area.base)).toBeUndefined();
  });
});
