import { describe, expect, it } from 'vitest';
import type { IoApic } from '../../../formats/units/chipset/interrupt-controllers.ts';
import type { Piix3Bus } from '../../../formats/units/chipset/pci-codec.ts';
import { CARD_KINDS } from '../cards.ts';
import { type Correspondence, takeBack, wakeSection } from '../template/correspondence.ts';
import type { SectionImage } from '../template/section-image.ts';
import { RICH_MACHINES, template } from '../testing/woken.ts';
import { hpet } from './chipset/hpet.ts';
import { I440FX, planTwins } from './chipset/i440fx.ts';
import { wakeTwins } from './chipset/interrupt-routes.ts';
import {
  type BusDevice,
  configOf,
  editConfig,
  silence,
  takeConfigBack,
  unfitAddress,
  wakeConfig,
} from './chipset/pci.ts';
import { takeRoutesBack } from './chipset/routes-back.ts';
import { e1000 } from './network/e1000.ts';
import { E1000_REGISTERS } from './network/e1000-registers.ts';
import { pcnet } from './network/pcnet.ts';
import { ahci } from './storage/ahci.ts';

const moment = { now: 5_000_000_000n, lag: 0n };

/** Numbers that differ from one another, within a width. */
function numbers(count: number, bits: number, seed = 1): number[] {
  return Array.from({ length: count }, (_, i) =>
    Number((BigInt(seed + i) * 0x9e37_79b9n) & ((1n << BigInt(bits)) - 1n)),
  );
}

const offload = (seed: number) => ({
  ...{ ipStart: seed, ipOffset: 2, ipEnd: 300, payloadStart: 4, payloadOffset: 5, payloadEnd: 600 },
  ...{ command: 0x0301_2345, status: 0, headerLength: 54, segmentSize: 1460 },
});
const noOffload = () => Object.fromEntries(Object.keys(offload(0)).map((name) => [name, 0]));

/** Registers that stand for tables, which are kept elsewhere. */
const TABLES = ['MTA', 'RA', 'VFTA'];
const placeOf = (wanted: string) => E1000_REGISTERS.findIndex(([name]) => name === wanted);
const registers = numbers(124, 32).map((value, i) => (TABLES.includes(E1000_REGISTERS[i][0]) ? 0 : value));
registers[placeOf('ICS')] = registers[placeOf('ICR')];

const e1000Unit = (): object => ({
  registers,
  ...{ multicast: numbers(128, 32, 7), addresses: numbers(32, 32, 9), vlans: numbers(128, 32, 11) },
  ...{ eeprom: numbers(64, 16), phy: numbers(21, 16), receiveBufferSize: 4096, interruptRaised: true },
  ...{ sendLength: 3, sendFrame: Uint8Array.of(1, 2, 3), segmentation: offload(14), normal: offload(18) },
});
const blankE1000 = (): object => ({
  registers: new Array(124).fill(0),
  ...{ multicast: new Array(128).fill(0), addresses: new Array(32).fill(0), vlans: new Array(128).fill(0) },
  // The maker of the PHY is not carried.
  eeprom: new Array(64).fill(0),
  phy: numbers(21, 16).map((value, i) => (i === 2 || i === 3 ? value : 0)),
  ...{ receiveBufferSize: 0, interruptRaised: false, sendLength: 0, sendFrame: new Uint8Array() },
  ...{ segmentation: { ...noOffload() }, normal: { ...noOffload() } },
});

const pcnetUnit = (fill: (count: number, bits: number) => number[], blank: boolean): object => ({
  ...{ rap: blank ? 0 : 88, isr: blank ? 0 : 1, linkState: blank ? 0 : 0x40, receiveRing: blank ? 0 : 0x1000 },
  ...{ transmitRing: blank ? 0 : 0x2000, prom: Uint8Array.from(fill(16, 8)), csr: fill(128, 16) },
  bcr: [...fill(32, 16), ...new Array(18).fill(0)],
});
const zeros = (count: number) => new Array<number>(count).fill(0);

const hpetUnit = (blank: boolean): object => ({
  ...{ config: blank ? 0n : 3n, isr: blank ? 0n : 1n, offset: blank ? 0n : 1_000n, counter: blank ? 0n : 500_000_100n },
  timers: [1n, 2n, 3n].map((i) => ({
    timer: blank ? { state: 4 } : { state: 7, expires: 6_000_000_000n + i },
    wrap: 0,
    config: blank ? 0xf0_0000_0000n : 0xf0_0000_0004n + i,
    ...{ comparator: blank ? 0n : 700n + i, fsb: blank ? 0n : i, period: blank ? 0n : 10n * i },
  })),
});

const ahciPort = (seed: number, blank: boolean) => {
  const names = [
    ...['commandList', 'commandListHigh', 'receivedFis', 'receivedFisHigh', 'interruptStatus', 'interruptEnable'],
    ...['command', 'signature', 'sataStatus', 'sataControl', 'sataError'],
  ];
  const values = numbers(names.length, 32, seed);
  return {
    ...Object.fromEntries(names.map((name, i) => [name, blank ? 0 : values[i]])),
    ...{ commandListAddress: blank ? 0n : (BigInt(values[1]) << 32n) | BigInt(values[0]) },
    ...{ receivedFisAddress: blank ? 0n : (BigInt(values[3]) << 32n) | BigInt(values[2]) },
    ...{ taskFile: blank ? 0 : 0x450, multiSectors: blank ? 0 : 16 },
    ...{ commandIssue: blank ? 0 : 4, sataActive: blank ? 0 : 8, finished: 0, finishedQueued: 0 },
  };
};
const ahciUnit = (blank: boolean): object => ({
  ...{ control: blank ? 0 : 0x8000_0002, interruptStatus: blank ? 0 : 5 },
  port: Array.from({ length: 30 }, (_, i) => ahciPort(i, blank || i >= 6)),
});

const CARDS: readonly [string, string, (section: SectionImage) => readonly Correspondence[], object, object][] = [
  ['e1000', '0000:00:03.0/e1000', e1000, e1000Unit(), blankE1000()],
  ['pcnet', '0000:00:08.0/pcnet', () => pcnet, pcnetUnit(numbers, false), pcnetUnit(zeros, true)],
  ['hpet', 'hpet', hpet, hpetUnit(false), hpetUnit(true)],
  ['ahci', '0000:00:0d.0/ich9_ahci', () => ahci, ahciUnit(false), ahciUnit(true)],
];

describe.each(RICH_MACHINES)('in %s', (machine) => {
  it.each(CARDS)('%s comes back as it went', async (_, name, tableOf, unit, blank) => {
    const section = (await template(machine)).section(name);
    wakeSection(tableOf(section), unit, section, moment);
    const found = structuredClone(blank);
    takeBack(tableOf(section), section, found, moment);
    expect(found).toEqual(unit);
  });

  it('commands of AHCI that are done, though the guest has not looked yet, are not done again', async () => {
    const section = (await template(machine)).section('0000:00:0d.0/ich9_ahci');
    const unit = ahciUnit(false) as { port: Record<string, number>[] };
    Object.assign(unit.port[0], { commandIssue: 0x8000_0001, finished: 0x8000_0000, sataActive: 6, finishedQueued: 6 });
    wakeSection<object>(ahci, unit, section, moment);
    expect(section.number('ahci.dev[0].port_regs.cmd_issue')).toBe(1n);
    expect(section.number('ahci.dev[0].port_regs.scr_act')).toBe(0n);
  });

  it('a HPET counts on from an offset below zero, and its timers of 32 bits compare 32 bits', async () => {
    const section = (await template(machine)).section('hpet');
    const unit = hpetUnit(false) as { timers: Record<string, unknown>[] };
    Object.assign(unit, { config: 1n, offset: BigInt.asUintN(64, -4_000_000_000n) });
    Object.assign(unit.timers[0], { config: 0x138n, comparator: 0x16_8c80_cef3n });
    wakeSection<object>(hpet(section), unit, section, moment);
    expect(section.number('hpet_counter')).toBe(100_000_000n);
    expect(section.number('timer[0].cmp')).toBe(0x8c80_cef3n);
  });

  it('a HPET that stands keeps its counter', async () => {
    const section = (await template(machine)).section('hpet');
    wakeSection<object>(hpet(section), { ...hpetUnit(false), config: 0n, counter: 77n }, section, moment);
    expect(section.number('hpet_counter')).toBe(77n);
  });

  it('a card’s interrupt gets a twin, and its old line back', async () => {
    const MASKED = 0x10000n;
    const config = new Uint8Array(256);
    config[0x3d] = 1;
    const nic = { devfn: 0x18, config, pinLevel: 1 } as unknown as BusDevice;
    const bridge = { devfn: 8, config: new Uint8Array(256) } as unknown as BusDevice;
    const entry = 0x100_0000_0000_a029n;
    const redirections = Array.from({ length: 24 }, (__, i) => (i === 19 ? entry : MASKED));
    const before = { redirections: [...redirections], irr: 1 << 19 } as unknown as IoApic;
    const target = await template(machine);
    const section = target.section('ioapic');
    for (const [i, each] of redirections.entries()) section.set(`ioredtbl[${i}]`, each);
    section.set('irr', 1n << 19n);
    const routes = planTwins([nic], before, []);
    wakeTwins(target, routes);
    I440FX.connect(target, routes.twins);
    expect(section.number('ioredtbl[11]')).toBe(entry);
    const registers = configOf(target.section('0000:00:01.0/PIIX3'));
    expect([0, 1, 2, 3].map((i) => registers.getUint8(0x60 + i))).toEqual([0x80, 0x80, 11, 0x80]);
    expect(section.number('irr')).toBe(1n << 11n);
    const after = {
      redirections: redirections.map((__, i) => section.number(`ioredtbl[${i}]`)),
      irr: Number(section.number('irr')),
    } as unknown as IoApic;
    const bus = { usesIoApic: false, devices: [bridge, nic], legacyLevels: zeros(4), apicLevels: zeros(8) };
    const isaBridge = configOf(target.section('0000:00:01.0/PIIX3'));
    const back = { ioApic: after, apic: undefined, devices: [nic] };
    takeRoutesBack(bus as unknown as Piix3Bus, isaBridge, back);
    expect(after).toEqual(before);
    expect(bus).toMatchObject({ usesIoApic: true, legacyLevels: zeros(4), apicLevels: [0, 0, 0, 1, 0, 0, 0, 0] });
    expect([bridge.config[0xde], bridge.config[0xad]]).toEqual([0xbe, 0xef]);
  });

  it('ports of AHCI that QEMU has elsewhere, and of another size, stay as they are', async () => {
    const section = (await template(machine)).section('0000:00:0d.0/ich9_ahci');
    const before = configOf(section).getUint32(0x20, true);
    const config = new Uint8Array(256);
    new DataView(config.buffer).setUint32(0x20, 0xd071, true);
    new DataView(config.buffer).setUint32(0x24, 0xf080_4000, true);
    const regions = CARD_KINDS.find(({ unit }) => unit === 'ahci')?.regions ?? [];
    wakeConfig(section, { devfn: 0x68, config, pinLevel: 0 } as unknown as BusDevice, regions);
    const after = configOf(section);
    expect([after.getUint32(0x20, true), after.getUint32(0x24, true)]).toEqual([before, 0xf080_4000]);
  });

  it('a card at an address that VirtualBox’s larger one cannot have is told', async () => {
    const section = (await template(machine)).section('0000:00:0d.0/ich9_ahci');
    const sized = (size: number) => {
      const regions = Array.from({ length: 7 }, (_, i) => ({ type: 0, size: i === 5 ? size : 0 }));
      return { devfn: 0x68, config: new Uint8Array(256), pinLevel: 0, regions } as unknown as BusDevice;
    };
    editConfig(section, (config) => config.setUint32(0x24, 0xfebf_1000, true));
    expect(unfitAddress(section, sized(0x2000), [[5, 5]])).toBe(0xfebf_1000);
    expect(unfitAddress(section, sized(0x1000), [[5, 5]])).toBeUndefined();
  });

  it('a device that the guest does not listen to yet raises no line of another one', async () => {
    const section = (await template(machine)).section('0000:00:03.0/e1000');
    silence(section);
    expect(configOf(section).getUint16(4, true) & 0x400).toBe(0x400);
    const card = { devfn: 0x18, config: new Uint8Array(256), pinLevel: 0 } as unknown as BusDevice;
    takeConfigBack(section, card, []);
    expect(card.config[5] & 4).toBe(0);
  });

  it('a guest that has turned to the I/O APIC in QEMU has done so in VirtualBox', () => {
    const config = new Uint8Array(256);
    config[0x3d] = 1;
    const nic = { devfn: 0x18, config, pinLevel: 0 } as unknown as BusDevice;
    const bridge = { devfn: 8, config: new Uint8Array(256) } as unknown as BusDevice;
    const bus = { usesIoApic: false, devices: [bridge, nic], legacyLevels: zeros(4), apicLevels: zeros(8) };
    const registers = new DataView(new ArrayBuffer(256));
    for (const i of [0, 1, 2, 3]) registers.setUint8(0x60 + i, 0x80);
    const ioApic = { redirections: new Array(24).fill(0x10000n), irr: 0 } as unknown as IoApic;
    ioApic.redirections[19] = 0xa824n;
    takeRoutesBack(bus as unknown as Piix3Bus, registers, { ioApic, apic: undefined, devices: [nic] });
    expect([bus.usesIoApic, bridge.config[0xde], bridge.config[0x60], ioApic.redirections[19]]).toEqual([
      ...[true, 0xbe, 0, 0xa824n],
    ]);
  });

  it('a guest of the 8259s keeps its routing registers', async () => {
    const config = new Uint8Array(256);
    config[0x3d] = 1;
    const nic = { devfn: 0x18, config, pinLevel: 1 } as unknown as BusDevice;
    const bridge = { devfn: 8, config: new Uint8Array(256) } as unknown as BusDevice;
    const bus = { usesIoApic: false, devices: [bridge, nic], legacyLevels: zeros(4), apicLevels: zeros(8) };
    const registers = new DataView(new ArrayBuffer(256));
    for (const i of [0, 1, 2, 3]) registers.setUint8(0x60 + i, 9 + i);
    const ioApic = { redirections: new Array(24).fill(0x10000n), irr: 0 } as unknown as IoApic;
    takeRoutesBack(bus as unknown as Piix3Bus, registers, { ioApic, apic: undefined, devices: [nic] });
    expect([...bridge.config.subarray(0x60, 0x64)]).toEqual([9, 10, 11, 12]);
    expect(bus).toMatchObject({ usesIoApic: false, legacyLevels: [0, 0, 1, 0], apicLevels: zeros(8) });
  });
});
