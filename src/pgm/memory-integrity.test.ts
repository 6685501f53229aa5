import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ListedHandler } from './access/handler-list.ts';
import { GuestMemory } from './guest-memory.ts';
import { assertIntegrity, checkIntegrity } from './memory-integrity.ts';
import { PageFlag, RamRange } from './pages/ram-range.ts';
import { refused } from './testing/memory-checks.ts';

const ROM_AT = 2 * MIB;
const VRAM_AT = 4 * MIB;

/** A machine with one of everything, all in order. */
function newMachine(): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, MIB, 'Base RAM');
  memory.roms.register({ start: ROM_AT, size: 2 * PAGE_SIZE, description: 'BIOS', isShadowed: true });
  memory.mmio2.register({ device: 'vga', instance: 0, region: 0, size: 2 * PAGE_SIZE, description: 'VRam' });
  memory.mmio2.map('vga', 0, 0, VRAM_AT);
  memory.mmio.register(8 * MIB, PAGE_SIZE, 'registers', () => 'done');
  memory.handlers.register({
    kind: 'write',
    start: 0x1800,
    end: 0x2800,
    description: 'watch',
    callback: () => 'default',
  });
  memory.fill(0x10000, 0x4000, 1);
  return memory;
}

/** Handlers and ranges as they are kept, to be damaged. */
function handlersOf(memory: GuestMemory): ListedHandler[] {
  return memory.handlers.list.all as ListedHandler[];
}

describe('checkIntegrity()', () => {
  it('finds nothing in a machine that is in order', () => {
    const memory = newMachine();
    expect(checkIntegrity(memory)).toEqual([]);
    assertIntegrity(memory);
  });

  const damages: [string, (memory: GuestMemory, ram: RamRange) => void, RegExp][] = [
    [
      'a handler out of order',
      (memory) => handlersOf(memory).reverse(),
      /^handler 0x\w+ starts before the end of the one below$/,
    ],
    [
      'a handler out of order, from above',
      (memory) => handlersOf(memory).reverse(),
      /^handler 0x\w+ ends after the start of the one above$/,
    ],
    [
      'a handler that ends before it starts',
      (memory) => handlersOf(memory).push({ ...handlersOf(memory)[0], start: 9 * MIB, end: 9 * MIB - 1 }),
      /^handler 0x900000 ends before it starts$/,
    ],
    [
      'a handler outside of all ranges',
      (memory) => handlersOf(memory).push({ ...handlersOf(memory)[0], start: 9 * MIB, end: 9 * MIB + 8 }),
      /^handler watch at 0x900000 is not within one range$/,
    ],
    [
      'a handler of whole pages that begins within one',
      (memory) => handlersOf(memory).splice(0, 1, { ...handlersOf(memory)[0], kind: 'all' }),
      /^handler watch at 0x1800 does not cover whole pages$/,
    ],
    [
      'ranges out of order',
      (memory) => (memory.ranges.all as RamRange[]).reverse(),
      /^range 0x\w+ starts before the end of the one below$/,
    ],
    [
      'ranges that overlap',
      (memory) => (memory.ranges.all as RamRange[]).splice(1, 0, new RamRange(MIB - PAGE_SIZE, 2, 'ram', 'x')),
      /^range 0x0 ends after the start of the one above$/,
    ],
    [
      'a page that lost the wish of its handler',
      (_, ram) => ram.handler.fill(0, 1, 2),
      /^page 0x1000 has handler state 0, its handlers want 2$/,
    ],
    [
      'a page with the wish of no handler',
      (_, ram) => ram.handler.fill(3, 5, 6),
      /^page 0x5000 has a handler state, but no handler$/,
    ],
    [
      'a page with memory that says it is zero',
      (_, ram) => ram.state.fill(0, 0x10, 0x11),
      /^page 0x10000 is zero, but its page id is 0x/,
    ],
    [
      'a page without memory that says it is allocated',
      (_, ram) => ram.state.fill(1, 3, 4),
      /^page 0x3000 is allocated, but its page id is 0x0$/,
    ],
    [
      'an impossible page id',
      (_, ram) => ram.pageId.fill(5, 0x10, 0x11),
      /^page 0x10000 is allocated, but its page id is 0x5$/,
    ],
    [
      'device memory that is monitored',
      (memory) => memory.ranges.get(VRAM_AT).state.fill(2, 0, 1),
      /^page 0x400000 is write-monitored, but of type mmio2$/,
    ],
    [
      'device registers with memory',
      (memory) => memory.ranges.get(8 * MIB).state.fill(1, 0, 1),
      /^page 0x800000 has device registers, but is allocated$/,
    ],
    [
      'a page that is monitored and was written',
      (_, ram) => {
        ram.state[0x10] = 2;
        ram.flags[0x10] |= PageFlag.WRITTEN_TO;
      },
      /^page 0x10000 is monitored, and has the mark that it was written$/,
    ],
    [
      'a ROM that shows another page than its protection demands',
      (memory) => memory.roms.all[0].protection.fill(3, 1, 2),
      /^page 1 of ROM BIOS is not the one that its protection 3 demands$/,
    ],
    [
      'a ROM page that is another',
      (memory) => memory.ranges.get(ROM_AT).pageId.fill(600, 0, 1),
      /^page 0 of ROM BIOS is not/,
    ],
    [
      'device memory that is not where it is mapped',
      (memory) => memory.ranges.get(VRAM_AT).pageId.fill(600, 1, 2),
      /^page 1 of MMIO2 VRam is not where it is mapped$/,
    ],
    [
      'a count that went wrong',
      (memory) => memory.pages.counts.zero++,
      /^cZeroPages is 253, there are 252$|^cZeroPages is \d+, there are \d+$/,
    ],
    ['a lock that is not counted', (_, ram) => ram.writeLocks.fill(1, 0, 1), /^cWriteLockedPages is 0, there are 1$/],
  ];

  for (const [what, damage, finding] of damages) {
    it(`finds ${what}: VERR_INTERNAL_ERROR`, () => {
      const memory = newMachine();
      damage(memory, memory.ranges.all[0]);
      expect(
        checkIntegrity(memory).some((found) => finding.test(found)),
        checkIntegrity(memory).join('\n'),
      ).toBe(true);
      refused(() => assertIntegrity(memory), 'VERR_INTERNAL_ERROR');
    });
  }
});
