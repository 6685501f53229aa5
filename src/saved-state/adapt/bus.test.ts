import { describe, expect, it } from 'vitest';
import { mergeBus } from './bus.ts';
import type { Merge } from './merge.ts';

const BRIDGE = 'ich9pcibridge/0';

/** An AHCI controller, or another device. */
function slot(devfn: number, pinLevel = 0, id = '86802928') {
  const config = Buffer.alloc(4096);
  config.write(id, 'hex');
  config[0x3d] = 1;
  return { devfn, config, pinLevel };
}

/** A bridge, as the state and the machine have it. */
function mergeOf(own: ReturnType<typeof slot>[], donor: ReturnType<typeof slot>[], replaced: string[] = []) {
  const state = { devices: own };
  const notes: string[] = [];
  const merge = {
    own: { name: 'state', units: new Map([[BRIDGE, {}]]) },
    donor: { name: 'donor', units: new Map([[BRIDGE, {}]]) },
    value: () => state,
    donorValue: () => ({ devices: donor }),
    replaced: new Set(replaced),
    note: (kind: string, unit: string, text: string) => notes.push(`${kind} ${unit}: ${text}`),
  };
  mergeBus(merge as unknown as Merge);
  return { state, notes };
}

// The real VirtualBox loads the adapted states of machines with two and three AHCI controllers.
describe('mergeBus() of a bridge', () => {
  it('takes out devices that the machine has no longer, puts in new ones, and leaves the rest', () => {
    const { state, notes } = mergeOf([slot(0x00), slot(0x08)], [slot(0x00), slot(0x10)]);
    expect(state.devices.map(({ devfn }) => devfn)).toEqual([0x00, 0x10]);
    expect(notes).toEqual([
      `seen ${BRIDGE}: PCI device 02.0 ahci is new to the guest`,
      `seen ${BRIDGE}: PCI device 01.0 ahci is gone: the guest reads nothing there`,
    ]);
  });

  it('refuses where a device that goes holds its interrupt: how bridges hand it on is not known', () => {
    expect(() => mergeOf([slot(0x00), slot(0x08, 1)], [slot(0x00)])).toThrow('holds its interrupt line');
    expect(mergeOf([slot(0x00, 1), slot(0x08)], [slot(0x00)]).state.devices).toHaveLength(1);
  });

  it('gives another graphics adapter its own regions, though its identity is the same', () => {
    const [here, there] = [slot(0x10, 0, 'ee80efbe'), slot(0x10, 0, 'ee80efbe')];
    expect(mergeOf([here], [there]).state.devices[0]).toBe(here);
    expect(mergeOf([here], [there], ['vga/0']).state.devices[0]).toBe(there);
  });
});
