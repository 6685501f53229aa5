import { describe, expect, it } from 'vitest';
import { Cursor } from '../binary/cursor.ts';
import { realUnits, truthOf } from '../testing/pgm-real-units.ts';
import { findPciDevices } from './chipset/pci.ts';
import { readCpum } from './cpu/cpum.ts';
import { readBuildInfo } from './machine/build-info.ts';
import { readLiveControl } from './machine/live-control.ts';
import { readMm } from './machine/mm.ts';

describe('units of states that VirtualBox 7.2.22 wrote', () => {
  it('cpum: the control registers are those of the description', async () => {
    for (const { state, version, payload } of (await realUnits('cpum')).filter(({ pass }) => pass === 'final')) {
      const found = readCpum(payload, version).cpus.map(({ cr0, cr2, cr3, cr4, efer }) => [cr0, cr2, cr3, cr4, efer]);
      const expected = truthOf(state).vcpus.map((cpu: Record<string, string>) =>
        ['cr0', 'cr2', 'cr3', 'cr4', 'efer'].map((name) => BigInt(cpu[name])),
      );
      expect(found, state).toEqual(expected);
    }
  });

  it('cpum: whole contexts are read, with the selectors that the mode demands', async () => {
    for (const { state, version, payload } of (await realUnits('cpum')).filter(({ pass }) => pass === 'final')) {
      const [{ context, fxsave }] = readCpum(payload, version).cpus;
      expect(fxsave?.length, state).toBe(416);
      expect(context?.cs.validSelector, state).toBe(context?.cs.selector);
      // Bit 1 of RFLAGS is always set; the L bit of CS (attribute bit 13) tells long mode.
      expect((context?.rflags ?? 0n) & 2n, state).toBe(2n);
      expect(((context?.cs.attributes ?? 0) >>> 13) & 1, state).toBe(
        truthOf(state).vcpus[0].mode.startsWith('long') ? 1 : 0,
      );
    }
  });

  it('cpum: CPUID offers what the guests use', async () => {
    for (const { state, version, payload } of (await realUnits('cpum')).filter(({ pass }) => pass === 'final')) {
      const { features } = readCpum(payload, version);
      expect(features, state).toMatchObject({ pse: true, pae: true, pge: true });
      const { mode } = truthOf(state).vcpus[0];
      if (mode.includes('NX')) expect(features?.nx, state).toBe(true);
      if (mode.startsWith('long')) expect(features?.longMode, state).toBe(true);
    }
  });

  it('SSM: the pairs name build and host', async () => {
    for (const { state, payload } of await realUnits('SSM')) {
      const cursor = new Cursor(payload);
      expect(readBuildInfo(cursor), state).toMatchObject({ 'Build Type': 'release', 'Host OS': 'linux.amd64' });
      expect(cursor.at, state).toBe(payload.length);
    }
  });

  it('mm: the RAM size is that of the description', async () => {
    for (const { state, version, payload } of await realUnits('mm')) {
      const cursor = new Cursor(payload);
      expect(readMm(cursor, version).ramSize, state).toBe(truthOf(state).ram.size);
      expect(cursor.at, state).toBe(payload.length);
    }
  });

  it('SSMLiveControl: progress is at most 98 % and never falls', async () => {
    const units = await realUnits('SSMLiveControl');
    expect(units.length).toBeGreaterThan(10);
    const progress = units.map(({ version, payload }) => readLiveControl(new Cursor(payload), version));
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress[progress.length - 1]).toBeLessThanOrEqual(9800);
  });

  it('pci: VMMDev is there, and its regions are not mapped, as no firmware has set them', async () => {
    for (const { state, payload } of await realUnits('pci')) {
      const devices = findPciDevices(payload);
      expect([...devices.keys()], state).toEqual(['VMMDev']);
      const vmmDev = devices.get('VMMDev');
      expect(vmmDev, state).toMatchObject({ vendorId: 0x80ee, deviceId: 0xcafe, memoryEnabled: false });
      expect(vmmDev?.regions.slice(1, 3), state).toEqual([undefined, undefined]);
    }
  });
});
