import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PgmBytes } from '../../testing/pgm-bytes.ts';
import { findPciDevices } from './pci.ts';

interface Device {
  ids: [vendor: number, device: number];
  command?: number;
  bars?: number[];
}
const VMMDEV: Device['ids'] = [0x80ee, 0xcafe];
const VGA: Device['ids'] = [0x80ee, 0xbeef];
const OTHER: Device['ids'] = [0x8086, 0x1237];

function configSpace({ ids: [vendor, device], command = 2, bars = [] }: Device, size = 256): Uint8Array {
  const space = Buffer.alloc(size);
  space.writeUInt16LE(vendor, 0);
  space.writeUInt16LE(device, 2);
  space.writeUInt16LE(command, 4);
  bars.forEach((bar, i) => {
    space.writeUInt32LE(bar >>> 0, 0x10 + 4 * i);
  });
  return space;
}

/** PIIX3 bus: some state, then device address and 256 bytes per device. */
function piix3(devices: Device[]): Uint8Array {
  const out = new PgmBytes().u32(0).u8(0).zeros(64);
  devices.forEach((device, i) => {
    out.u32(i * 8).raw(configSpace(device));
  });
  return out.u32(0xffffffff).done();
}

/** Devices as newer releases have them: address, size, and so many bytes. */
function sized(devices: Device[], size: number): Uint8Array {
  const out = new PgmBytes().u32(0).u8(0).zeros(64);
  devices.forEach((device, i) => {
    out
      .u32(i * 8)
      .u32(size)
      .raw(configSpace(device, size));
  });
  return out.u32(0xffffffff).done();
}

const FRAMINGS: [string, (devices: Device[]) => Uint8Array][] = [
  ['PIIX3', piix3],
  ['PIIX3 with sizes', (devices) => sized(devices, 256)],
  ['ICH9', (devices) => sized(devices, 4096)],
];

describe.each(FRAMINGS)('findPciDevices() on a %s bus', (_, bus) => {
  it('finds the devices that own memory among others', () => {
    const devices = findPciDevices(
      bus([
        { ids: OTHER },
        { ids: VGA, bars: [0xe0000008] },
        { ids: OTHER },
        { ids: VMMDEV, bars: [0xd021, 0xf0000000, 0xf0400008] },
      ]),
    );
    expect([...devices.keys()].sort()).toEqual(['VMMDev', 'vga']);
    expect(devices.get('vga')?.regions[0]).toBe(0xe0000000);
    // Region 0 of VMMDev is ports.
    expect(devices.get('VMMDev')?.regions.slice(0, 3)).toEqual([undefined, 0xf0000000, 0xf0400000]);
  });

  it('says so where memory decoding is off', () => {
    const devices = findPciDevices(
      bus([
        { ids: VGA, command: 1, bars: [0xe0000008] },
        { ids: VMMDEV, command: 3 },
      ]),
    );
    expect(devices.get('vga')?.memoryEnabled).toBe(false);
    expect(devices.get('VMMDev')?.memoryEnabled).toBe(true);
  });

  it('gives no address to a register that was never set', () => {
    expect(findPciDevices(bus([{ ids: VGA, bars: [8] }])).get('vga')?.regions[0]).toBeUndefined();
  });

  it('joins the halves of a 64-bit address, which takes two registers', () => {
    const { regions } = findPciDevices(bus([{ ids: VGA, bars: [0xe000000c, 0x12, 0xf0000000] }])).get('vga') ?? {
      regions: [],
    };
    expect(regions).toEqual([0x12_e000_0000, undefined, 0xf0000000, undefined, undefined, undefined]);
  });

  it('has no upper half for a 64-bit address in the last register', () => {
    const { regions } = findPciDevices(bus([{ ids: VGA, bars: [0, 0, 0, 0, 0, 0xe000000c] }])).get('vga') ?? {
      regions: [],
    };
    expect(regions).toEqual([undefined, undefined, undefined, undefined, undefined, 0xe0000000]);
  });

  it('finds the graphics adapter under the ids of VMware, too', () => {
    for (const id of [0x0405, 0x0406])
      expect(findPciDevices(bus([{ ids: [0x15ad, id], bars: [0xe0000000] }])).has('vga')).toBe(true);
  });
});

describe('findPciDevices()', () => {
  it('takes ids without a bus address before them for something else', () => {
    const out = new PgmBytes()
      .u32(1)
      .u32(0x12345678)
      .raw(configSpace({ ids: VGA }));
    expect(findPciDevices(out.done()).size).toBe(0);
  });

  it('gives a value for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        findPciDevices(bytes);
        const device = new PgmBytes()
          .u32(0)
          .u32(8)
          .raw(Uint8Array.of(0xee, 0x80, 0xef, 0xbe))
          .raw(bytes)
          .done();
        expect(findPciDevices(device).size).toBe(device.length >= 72 ? 1 : 0);
      }),
    );
  });
});
