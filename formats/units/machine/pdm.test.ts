import { describe, expect, it } from 'vitest';
import { realUnits } from '../../testing/pgm-real-units.ts';
import { readPdmDevices } from './pdm.ts';

describe('readPdmDevices()', () => {
  it('finds the devices of the machines of the bundled states, in all passes', async () => {
    const units = await realUnits('pdm');
    expect(units.length).toBeGreaterThan(4);
    // Configured without BIOS, graphics, ACPI, I/O APIC and disks.
    const names = ['pcarch', 'pcbios', 'pci', 'pckbd', 'apic', 'i8259', 'i8254', 'mc146818', '8237A', 'VMMDev'];
    for (const { payload } of units)
      expect(readPdmDevices(payload)).toEqual(names.map((name) => ({ name, instance: 0 })));
  });

  it('finds none where the list is cut or broken', async () => {
    const [{ payload }] = await realUnits('pdm');
    for (let size = 0; size < payload.length; size++) expect(readPdmDevices(payload.subarray(0, size))).toBeUndefined();
    for (let at = 0; at < payload.length; at++) {
      const broken = Uint8Array.from(payload);
      broken[at] ^= 0x80;
      const devices = readPdmDevices(broken);
      if (devices) expect(devices.length).toBeLessThanOrEqual(10);
    }
    expect(readPdmDevices(new Uint8Array(100_000))).toBeUndefined();
    expect(readPdmDevices(new Uint8Array(4).fill(0xff))).toBeUndefined();
  });
});
