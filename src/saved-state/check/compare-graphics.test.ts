import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { inspect } from '../describe/inspect.ts';
import { type MachineFacts, machineOf } from '../machine-facts/machine-facts.ts';
import { readSettings } from '../machine-facts/settings.ts';
import { compareMachines } from './compare-machines.ts';
import { realSettings, realState } from './testing/real-machines.ts';

const { state: vboxVga } = await inspect(bufferSource(realState('vga8')));
const config = vboxVga.pgm?.config;
if (!config) throw new Error('The state has no list of device memory');

const vram = (size: number) => ({
  ...config.mmio2[0],
  device: 'vga',
  instance: 0,
  region: 0,
  size,
  description: 'VRam',
});
const GRAPHICS = 0xbeef;
const FIFO = { ...vram(2 * MIB), region: 2, description: 'VMSVGA-FIFO' };

/** A state of the machine with other memory of graphics. */
const stateWith = (mib: number, hasFifo: boolean, mmio2 = hasFifo ? [vram(mib * MIB), FIFO] : [vram(mib * MIB)]) => ({
  ...vboxVga,
  pgm: vboxVga.pgm && { ...vboxVga.pgm, config: { ...config, mmio2: [...config.mmio2, ...mmio2] } },
  pciSlots: vboxVga.pciSlots?.map((slot) =>
    slot.deviceId === GRAPHICS ? { ...slot, sizes: [mib * MIB, hasFifo ? 16 : 0, hasFifo ? FIFO.size : 0] } : slot,
  ),
});

const STATES = {
  'VBoxVGA 8': stateWith(8, false),
  'VBoxSVGA 8': stateWith(8, true),
  'VBoxSVGA 16': stateWith(16, true),
  'VBoxSVGA without its memory': stateWith(8, true, []),
} as const;

const machine = (vga: MachineFacts['vga'], mib: number): MachineFacts => ({
  ...realSettings('vga8'),
  vga,
  vramSize: mib * MIB,
});

const settingsWith = (controller: string) =>
  readSettings(
    '<VirtualBox xmlns="http://www.virtualbox.org/" version="1.20-linux"><Machine name="box" OSType="Other_64">' +
      `<Hardware><Display controller="${controller}"/></Hardware></Machine></VirtualBox>`,
    'box.vbox',
  );

const MISMATCH = 'VERR_SSM_LOAD_CONFIG_MISMATCH';
const REGION = 'VERR_VGA_UNEXPECTED_PCI_REGION_LOAD_CHANGE';

describe('check() of graphics', () => {
  // Answers of 7.2.22.
  it.each([
    ['VBoxVGA 8', 'vboxvga', 8, undefined, undefined],
    ['VBoxVGA 8', 'vboxsvga', 8, REGION, 'pci'],
    ['VBoxVGA 8', 'vboxsvga', 16, MISMATCH, 'pci'],
    ['VBoxSVGA 8', 'vboxvga', 8, MISMATCH, 'pgm'],
    ['VBoxSVGA 8', 'vboxsvga', 8, undefined, undefined],
    ['VBoxSVGA 8', 'vboxsvga', 16, MISMATCH, 'pci'],
    ['VBoxSVGA 16', 'vboxvga', 8, MISMATCH, 'pgm'],
    ['VBoxSVGA 16', 'vboxsvga', 8, MISMATCH, 'pci'],
    ['VBoxSVGA without its memory', 'vboxvga', 8, 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED', 'vga'],
    ['VBoxSVGA without its memory', 'vboxsvga', 8, undefined, undefined],
  ] as const)('foretells the answer to %s in %s with %i MiB', (name, vga, mib, code, unit) => {
    const state = STATES[name];
    const [first] = compareMachines(state, machineOf(state, 'state'), machine(vga, mib), []).sort(
      (a, b) => a.at - b.at,
    );
    expect([first?.finding.vboxCode, first?.finding.place?.unit]).toEqual([code, unit]);
  });

  it('reads the adapter from settings', () => {
    expect(realSettings('vga8').vga).toBe('vboxvga');
    const graphics = (controller: string) => settingsWith(controller).vga;
    expect(['VBoxSVGA', 'vboxsvga', 'VMSVGA', 'VBoxVGA', 'Other'].map(graphics)).toEqual([
      ...['vboxsvga', 'vboxsvga', 'vmsvga', 'vboxvga', 'vboxvga'],
    ]);
  });
});
