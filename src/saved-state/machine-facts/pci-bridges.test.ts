import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { readPciBridge } from '../../../formats/units/chipset/pci-bus.ts';
import { ich9BridgeCodec } from '../../../formats/units/chipset/pci-codec.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { check } from '../check/check.ts';
import { realState } from '../check/testing/real-machines.ts';
import { furtherPlaces } from './pci-bridges.ts';
import { readSettings } from './settings.ts';

const { machines } = JSON.parse(readFileSync(join(STATES_FOLDER, '../machines/machines.json'), 'utf8'));

const several = (name: string, count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => ({ name, instance: first + i }));
const told = (...devices: { name: string; instance: number }[][]) =>
  furtherPlaces(devices.flat()).map(
    ({ name, instance, bus, devfn }) => `${name}/${instance} ${bus}:${devfn.toString(16)}`,
  );

// As states of 7.2.22 have them.
describe('furtherPlaces()', () => {
  it('puts further controllers behind bridges', () => {
    expect(told(several('ahci', 1), several('e1000', 8))).toEqual([]);
    expect(told(several('ahci', 3))).toEqual(['ahci/1 1:0', 'ahci/2 1:8', 'ich9pcibridge/0 0:c0']);
    expect(told(several('lsilogicscsi', 2), several('buslogic', 2), several('lsilogicsas', 2))).toEqual([
      'lsilogicscsi/1 1:38',
      'buslogic/1 1:70',
      'lsilogicsas/1 1:a8',
      'ich9pcibridge/0 0:c0',
    ]);
    expect(told(several('virtio-scsi', 3), several('nvme', 2))).toEqual([
      'nvme/1 3:0',
      'virtio-scsi/1 3:38',
      'virtio-scsi/2 3:40',
      'ich9pcibridge/0 0:c0',
      'ich9pcibridge/1 0:c8',
      'ich9pcibridge/2 2:c0',
    ]);
  });

  it('puts the ninth network card where one is missing, else behind the second bridge', () => {
    expect(told(several('e1000', 1, 8), several('virtio-net', 1, 17))).toEqual(['e1000/8 0:18', 'virtio-net/17 0:40']);
    expect(told(several('e1000', 10))).toEqual([
      'e1000/8 2:0',
      'e1000/9 2:8',
      'ich9pcibridge/0 0:c0',
      'ich9pcibridge/1 0:c8',
    ]);
  });
});

describe('a machine with bridges', () => {
  it('is told by the bridge, which the bus has before its last device', async () => {
    const second = machines.ich9all.settings.replace(/<StorageController [^>]*type="AHCI"[^>]*>/, (own: string) => {
      const more = own.replace(/name="[^"]*"/, 'name="second"').replace(/\/?>$/, '/>');
      return `${more}${own}`;
    });
    const machine = readSettings(second, 'two.vbox');
    expect(machine.devices).toContainEqual({ name: 'ich9pcibridge', instance: 0 });
    const { forecast } = await check(bufferSource(realState('ich9all')), { machine });
    expect(forecast).toMatchObject({ unit: 'ich9pci/0', vboxCode: 'VERR_SSM_LOAD_CONFIG_MISMATCH' });
    expect(forecast?.message).toContain('ich9pcibridge');
  });

  it('has units that tell what sits behind each bridge', () => {
    const devices = [0x00, 0x08].map((devfn) => ({
      devfn,
      configSize: 4096,
      config: Buffer.concat([Buffer.from('86802928', 'hex'), Buffer.alloc(4092)]),
      flags: 0,
      pinLevel: 0,
      msiOffset: 0,
      msiSize: 0,
      msixOffset: 0,
      msixSize: 0,
      msixPageSize: 0,
      msixPage: Buffer.alloc(0),
      regions: Array.from({ length: 7 }, () => ({ type: 0, size: 0 })),
    }));
    const payload = ich9BridgeCodec.encode({ devices }, 4);
    // Two devices, as in the state of the machine with three AHCI controllers.
    expect(payload).toHaveLength(8370);
    expect(readPciBridge(payload, 4)).toMatchObject([
      { devfn: 0, vendorId: 0x8086, deviceId: 0x2829 },
      { devfn: 8, vendorId: 0x8086, deviceId: 0x2829 },
    ]);
    expect(readPciBridge(payload.subarray(0, 4000), 4)).toBeUndefined();
  });
});
