import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cursor } from '../binary/cursor.ts';
import { bufferSource } from '../files/source.ts';
import { openContainer } from '../ssm/open.ts';
import { PayloadReader } from '../ssm/payload.ts';
import { buildV2 } from '../testing/container-builder.ts';
import { realUnits } from '../testing/pgm-real-units.ts';
import { readPciBus } from './chipset/pci-bus.ts';
import { has3d } from './display/screen.ts';
import { readHgcmServices } from './machine/hgcm.ts';
import { isCompared, noFacts, readFacts, type UnitFacts } from './table.ts';

const UNITS: [string, number][] = [
  ...(
    [
      'ahci',
      'apic',
      'e1000',
      'lsilogicsas',
      'nvme',
      'pcnet',
      'piix3ide',
      'serial',
      'tpm',
      'vga',
      'virtio-scsi',
    ] as const
  ).map((unit, i): [string, number] => [unit, [9, 5, 6, 6, 3, 10, 22, 7, 1, 34, 1][i]]),
];

async function factsOf(unit: string, version: number, payload: Uint8Array): Promise<UnitFacts> {
  const facts = noFacts();
  const container = await openContainer(bufferSource(buildV2([{ name: unit, version, payload }])));
  const header = await container.nextUnit();
  if (header) await readFacts(header, new PayloadReader(container), facts);
  return facts;
}

describe('readFacts()', () => {
  it.each(UNITS)('reads what is compared of unit %s out of any bytes, or nothing', async (unit, version) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 1200 }), async (bytes) => {
        const { configs } = await factsOf(unit, version, bytes);
        expect([...configs.keys()]).toEqual([`${unit}/0`]);
        expect(Object.keys(configs.get(`${unit}/0`) ?? { none: 0 }).length).toBeGreaterThan(0);
      }),
      { numRuns: 50 },
    );
  });

  it('tells nothing of versions whose layout is not known, though they are compared', async () => {
    for (const [unit] of UNITS) {
      expect([...(await factsOf(unit, 1000, new Uint8Array(1200))).configs], unit).toEqual([[`${unit}/0`, undefined]]);
      expect(isCompared(unit)).toBe(true);
    }
    expect((await factsOf('pckbd', 8, new Uint8Array(1200))).configs.size).toBe(0);
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
    const services = [
      'VBoxGuestPropSvc',
      'VBoxGuestControlSvc',
      'VBoxSharedFolders',
      'VBoxDragAndDropSvc',
      'VBoxSharedClipboard',
    ];
    const units = await realUnits('HGCM');
    expect(units.length).toBeGreaterThan(0);
    for (const { payload } of units) expect(readHgcmServices(new Cursor(payload)).sort()).toEqual([...services].sort());
  });
});

describe('has3d()', () => {
  const tail = (zeros: number) => Buffer.concat([Buffer.alloc(8, 0xff), Buffer.alloc(zeros), Buffer.from('6Marker\n')]);

  it('tells 3D acceleration by the end of unit vga, and does not guess', () => {
    expect(has3d(tail(12))).toBe(false);
    expect(has3d(tail(4))).toBe(true);
    expect(has3d(tail(7))).toBeUndefined();
    expect(has3d(new Uint8Array(28))).toBeUndefined();
  });
});
