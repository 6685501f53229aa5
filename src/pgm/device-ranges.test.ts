import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { ALL_REGIONS } from './devices/mmio2-ranges.ts';
import { GuestMemory } from './guest-memory.ts';
import { checkIntegrity } from './memory-integrity.ts';
import { PageType, RomProtection } from './pages/page-states.ts';
import { bytesAt, refused } from './testing/memory-checks.ts';

function newMemory(): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, MIB, 'Base RAM');
  return memory;
}

describe('device memory (MMIO2)', () => {
  const VRAM = { device: 'vga', instance: 0, region: 0, size: 4 * PAGE_SIZE, description: 'VRam' };

  function withVram(): GuestMemory {
    const memory = newMemory();
    memory.mmio2.register(VRAM);
    return memory;
  }

  it('keeps its content wherever it is mapped, and when it is not', () => {
    const memory = withVram();
    memory.mmio2.map('vga', 0, 0, 4 * MIB);
    memory.write(4 * MIB + 0x1004, Uint8Array.of(1, 2, 3));
    memory.mmio2.move('vga', 0, 0, 8 * MIB);
    expect([bytesAt(memory, 8 * MIB + 0x1004, 3), bytesAt(memory, 4 * MIB + 0x1004, 1)]).toEqual([[1, 2, 3], [0xff]]);
    memory.mmio2.unmap('vga', 0, 0, 8 * MIB);
    memory.mmio2.map('vga', 0, 0, 0x10000);
    expect(bytesAt(memory, 0x11004, 3)).toEqual([1, 2, 3]);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('takes the place of RAM, whose content is lost', () => {
    const memory = withVram();
    memory.fill(0x10000, 0x8000, 7);
    memory.mmio2.map('vga', 0, 0, 0x11000);
    expect([bytesAt(memory, 0x10fff, 2), memory.pages.counts.zero]).toEqual([[7, 0], 256 - 8]);
    memory.mmio2.unmap('vga', 0, 0, 0x11000);
    expect([bytesAt(memory, 0x10fff, 2), memory.pages.counts.zero]).toEqual([[7, 0], 256 - 4]);
    expect(memory.ranges.get(0x11000).type[0x11]).toBe(PageType.RAM);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('is refused where something else is, or where it cannot be', () => {
    const memory = withVram();
    refused(() => memory.mmio2.register(VRAM), 'VERR_ALREADY_EXISTS');
    refused(() => memory.mmio2.register({ ...VRAM, region: 256 }), 'VERR_INVALID_PARAMETER');
    refused(() => memory.mmio2.register({ ...VRAM, region: 1, size: 100 }), 'VERR_INVALID_PARAMETER');
    refused(() => memory.mmio2.map('vga', 1, 0, 4 * MIB), 'VERR_NOT_FOUND');
    refused(() => memory.mmio2.map('vga', 0, 0, 0), 'VERR_INVALID_PARAMETER');
    refused(() => memory.mmio2.map('vga', 0, 0, 4 * MIB + 1), 'VERR_INVALID_PARAMETER');
    refused(() => memory.mmio2.map('vga', 0, 0, MIB - PAGE_SIZE), 'VERR_PGM_RAM_CONFLICT');
    memory.roms.register({ start: 0xc0000, size: PAGE_SIZE, description: 'ROM' });
    refused(() => memory.mmio2.map('vga', 0, 0, 0xc0000), 'VERR_PGM_RAM_CONFLICT');
    memory.mmio2.map('vga', 0, 0, 4 * MIB);
    refused(() => memory.mmio2.map('vga', 0, 0, 8 * MIB), 'VERR_WRONG_ORDER');
    refused(() => memory.mmio2.unmap('vga', 0, 0, 8 * MIB), 'VERR_INVALID_PARAMETER');
    memory.handlers.register({
      kind: 'write',
      start: 4 * MIB,
      end: 4 * MIB + 8,
      description: 'watch',
      callback: () => 'default',
    });
    refused(() => memory.mmio2.unmap('vga', 0, 0, 4 * MIB), 'VERR_WRONG_ORDER');
    memory.handlers.deregister(4 * MIB);
    memory.mmio2.unmap('vga', 0, 0, 4 * MIB);
    refused(() => memory.mmio2.unmap('vga', 0, 0, 4 * MIB), 'VERR_WRONG_ORDER');
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('goes, one region or all of a device', () => {
    const memory = withVram();
    memory.mmio2.register({ ...VRAM, region: 1 });
    memory.mmio2.map('vga', 0, 1, 4 * MIB);
    const { allocated } = memory.pages.backing.account;
    expect(allocated.fixed).toBe(8);
    memory.mmio2.deregister('vga', 0, 0);
    refused(() => memory.mmio2.deregister('vga', 0, 0), 'VERR_NOT_FOUND');
    memory.mmio2.deregister('vga', 0, ALL_REGIONS);
    memory.mmio2.deregister('vga', 0, ALL_REGIONS);
    expect([memory.mmio2.all, memory.ranges.find(4 * MIB), allocated.fixed]).toEqual([[], undefined, 0]);
    expect(memory.pages.counts).toMatchObject({ all: 256, private: 0 });
  });

  it('of further instances has their number in its description', () => {
    const memory = withVram();
    expect(memory.mmio2.register({ ...VRAM, instance: 2 }).description).toBe('VRam [2]');
  });
});

describe('a ROM', () => {
  const IMAGE = new Uint8Array(2 * PAGE_SIZE).fill(0x90);

  it('is read, and takes no writes', () => {
    const memory = newMemory();
    memory.roms.register({ start: 0xf0000, size: 2 * PAGE_SIZE, description: 'BIOS', image: IMAGE });
    memory.write(0xf0ff8, new Uint8Array(16).fill(1));
    memory.write(0xefff8, new Uint8Array(16).fill(1), 'device');
    expect(bytesAt(memory, 0xefff8, 0x1008)).toEqual([...Array(8).fill(1), ...Array(0x1000).fill(0x90)]);
    expect(memory.pages.counts).toMatchObject({ all: 256, private: 3, zero: 253 });
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('that is shadowed shows what its protection says', () => {
    for (const start of [0xf0000, 2 * MIB]) {
      const memory = newMemory();
      const rom = memory.roms.register({
        start,
        size: 2 * PAGE_SIZE,
        description: 'BIOS',
        image: IMAGE,
        isShadowed: true,
      });
      const page = start + PAGE_SIZE;
      const protect = (protection: number) => memory.roms.protect(page, PAGE_SIZE, protection);
      const writeAndRead = (value: number) => {
        memory.write(page, Uint8Array.of(value));
        return bytesAt(memory, page, 1)[0];
      };
      expect(writeAndRead(1)).toBe(0x90);
      protect(RomProtection.READ_ROM_WRITE_RAM);
      expect(writeAndRead(2)).toBe(0x90);
      protect(RomProtection.READ_RAM_WRITE_IGNORE);
      expect(writeAndRead(3)).toBe(2);
      protect(RomProtection.READ_RAM_WRITE_RAM);
      expect(writeAndRead(4)).toBe(4);
      expect(checkIntegrity(memory)).toEqual([]);
      protect(RomProtection.READ_ROM_WRITE_IGNORE);
      expect([writeAndRead(5), bytesAt(memory, start, 1)[0]]).toEqual([0x90, 0x90]);
      expect([...rom.writtenTo]).toEqual([0, 1]);
      expect(checkIntegrity(memory)).toEqual([]);
    }
  });

  it('has a shadow of zeros after a reset, and shows itself', () => {
    for (const keepsMemory of [false, true]) {
      const memory = newMemory();
      const rom = memory.roms.register({
        start: 2 * MIB,
        size: PAGE_SIZE,
        description: 'BIOS',
        image: IMAGE.subarray(0, PAGE_SIZE),
        isShadowed: true,
      });
      memory.roms.protect(2 * MIB, PAGE_SIZE, RomProtection.READ_RAM_WRITE_RAM);
      memory.write(2 * MIB, Uint8Array.of(1));
      memory.roms.reset(keepsMemory);
      expect(bytesAt(memory, 2 * MIB, 1)).toEqual([0x90]);
      expect(rom.shadowId(0) > 0).toBe(keepsMemory);
      memory.roms.protect(2 * MIB, PAGE_SIZE, RomProtection.READ_RAM_WRITE_RAM);
      expect(bytesAt(memory, 2 * MIB, 1)).toEqual([0]);
      expect(checkIntegrity(memory)).toEqual([]);
    }
  });

  it('that is not shadowed keeps its protection', () => {
    const memory = newMemory();
    const rom = memory.roms.register({ start: 2 * MIB, size: PAGE_SIZE, description: 'BIOS' });
    memory.roms.protect(0, 4 * MIB, RomProtection.READ_RAM_WRITE_RAM);
    expect([...rom.protection]).toEqual([1]);
  });

  it('is refused where RAM is in use or something else is, and with what makes no sense', () => {
    const memory = newMemory();
    memory.write(0xf1000, Uint8Array.of(1));
    refused(
      () => memory.roms.register({ start: 0xf0000, size: 2 * PAGE_SIZE, description: 'BIOS' }),
      'VERR_PGM_RAM_CONFLICT',
    );
    refused(
      () => memory.roms.register({ start: MIB - PAGE_SIZE, size: 2 * PAGE_SIZE, description: 'BIOS' }),
      'VERR_PGM_RAM_CONFLICT',
    );
    refused(() => memory.roms.register({ start: 2 * MIB, size: 100, description: 'BIOS' }), 'VERR_INVALID_PARAMETER');
    refused(
      () => memory.roms.register({ start: 2 * MIB, size: PAGE_SIZE, description: 'BIOS', image: IMAGE }),
      'VERR_INVALID_PARAMETER',
    );
    memory.roms.register({ start: 2 * MIB, size: PAGE_SIZE, description: 'BIOS' });
    refused(
      () => memory.roms.register({ start: 2 * MIB, size: PAGE_SIZE, description: 'other' }),
      'VERR_PGM_RAM_CONFLICT',
    );
    for (const protection of [0, 5])
      refused(() => memory.roms.protect(2 * MIB, PAGE_SIZE, protection), 'VERR_INVALID_PARAMETER');
    refused(() => memory.roms.protect(2 * MIB, 5, 1), 'VERR_INVALID_PARAMETER');
    expect(checkIntegrity(memory)).toEqual([]);
  });
});

describe('device registers (MMIO)', () => {
  it('in a hole, and over RAM, answer accesses, and leave nothing behind', () => {
    const memory = newMemory();
    memory.fill(0x20000, 0x4000, 7);
    const before = { ...memory.pages.counts };
    for (const start of [2 * MIB, 0x21000]) {
      memory.mmio.register(start, 2 * PAGE_SIZE, 'device', (access, _gcPhys, bytes) => {
        if (access === 'read') bytes.fill(0x42);
        return 'done';
      });
      memory.write(start, Uint8Array.of(1));
      expect(bytesAt(memory, start, 2)).toEqual([0x42, 0x42]);
      expect(checkIntegrity(memory)).toEqual([]);
      memory.mmio.deregister(start, 2 * PAGE_SIZE);
    }
    expect([bytesAt(memory, 0x21000, 1), bytesAt(memory, 2 * MIB, 1)]).toEqual([[0], [0xff]]);
    expect(memory.pages.counts).toEqual({ ...before, private: 2, zero: 254 });
  });

  it('whose device says default read as nothing and take nothing', () => {
    const memory = newMemory();
    memory.mmio.register(0x21000, PAGE_SIZE, 'device', () => 'default');
    memory.write(0x21000, Uint8Array.of(1));
    expect(bytesAt(memory, 0x21000, 1)).toEqual([0xff]);
  });

  it('are refused where something else is, and with what makes no sense', () => {
    const memory = newMemory();
    const callback = () => 'done' as const;
    refused(() => memory.mmio.register(MIB - PAGE_SIZE, 2 * PAGE_SIZE, 'device', callback), 'VERR_PGM_RAM_CONFLICT');
    refused(() => memory.mmio.register(0x21000, PAGE_SIZE, '', callback), 'VERR_INVALID_PARAMETER');
    refused(() => memory.mmio.register(0x21001, PAGE_SIZE, 'device', callback), 'VERR_INVALID_PARAMETER');
    memory.handlers.register({ kind: 'write', start: 0x21000, end: 0x21008, description: 'watch', callback });
    refused(() => memory.mmio.register(0x21000, PAGE_SIZE, 'device', callback), 'VERR_PGM_HANDLER_PHYSICAL_CONFLICT');
    refused(() => memory.mmio.deregister(0x21000, PAGE_SIZE), 'VERR_NOT_FOUND');
    refused(() => memory.mmio.deregister(0x22000, PAGE_SIZE), 'VERR_PGM_HANDLER_NOT_FOUND');
    expect(checkIntegrity(memory)).toEqual([]);
  });
});
