import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor, OutOfBytes } from '../binary/cursor.ts';
import { FormatError } from '../errors.ts';
import { realUnits } from '../testing/pgm-real-units.ts';
import { readPciBus } from './chipset/pci-bus.ts';
import { configReader, isCompared } from './device-configs.ts';
import { has3d } from './display/screen.ts';
import { readHgcmServices } from './machine/hgcm.ts';

const UNITS: [string, number][] = [
  ...(['ahci', 'apic', 'e1000', 'lsilogicsas', 'nvme', 'pcnet', 'piix3ide', 'serial', 'tpm', 'vga', 'virtio-scsi'] as const).map(
    (unit, i): [string, number] => [unit, [9, 5, 6, 6, 3, 10, 22, 7, 1, 34, 1][i]],
  ),
];

describe('configReader()', () => {
  it.each(UNITS)('reads unit %s of any bytes, or says that they end or are wrong', (unit, version) => {
    const read = configReader(unit, version);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), (bytes) => {
        try {
          expect(Object.keys(read?.(new Cursor(bytes)) ?? {}).length).toBeGreaterThan(0);
        } catch (error) {
          expect(error instanceof OutOfBytes || error instanceof FormatError).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('gives none for versions whose layout is not known, though they are compared', () => {
    for (const [unit] of UNITS) {
      expect(configReader(unit, 1000)).toBeUndefined();
      expect(isCompared(unit)).toBe(true);
    }
    expect(isCompared('pckbd')).toBe(false);
  });
});

describe('units of real states', () => {
  it('pci: the bus is read to its end', async () => {
    for (const { version, payload } of await realUnits('pci')) {
      const slots = readPciBus(payload, 'pci', version);
      expect(slots?.map(({ devfn, vendorId, deviceId }) => [devfn, vendorId, deviceId])).toEqual([
        [0, 0x8086, 0x1237],
        [8, 0x8086, 0x7000],
        [0x20, 0x80ee, 0xcafe],
      ]);
      expect(slots?.[2].sizes?.slice(1, 3)).toEqual([0x400000, 0x4000]);
      expect(readPciBus(payload.subarray(0, payload.length - 5), 'pci', version)).toBeUndefined();
      expect(readPciBus(payload, 'pci', 99)).toBeUndefined();
    }
  });

  it("HGCM: the host's services are those of 7.2", async () => {
    const services = ['VBoxGuestPropSvc', 'VBoxGuestControlSvc', 'VBoxSharedFolders', 'VBoxDragAndDropSvc', 'VBoxSharedClipboard'];
    const units = await realUnits('HGCM');
    expect(units.length).toBeGreaterThan(0);
    for (const { payload } of units) expect(readHgcmServices(new Cursor(payload)).sort()).toEqual([...services].sort());
  });
});

describe('has3d()', () => {
  const tail = (zeros: number) => Buffer.concat([Buffer.alloc(8, 0xff), Buffer.alloc(zeros), Buffer.from('6Marker\n')]);

  it('tells it by how unit vga ends, and does not guess', () => {
    expect(has3d(tail(12))).toBe(false);
    expect(has3d(tail(4))).toBe(true);
    expect(has3d(tail(7))).toBeUndefined();
    expect(has3d(new Uint8Array(28))).toBeUndefined();
  });
});
