import { describe, expect, it } from 'vitest';
import type { IoApic } from '../../../formats/units/chipset/interrupt-controllers.ts';
import type { Apic } from '../../../formats/units/cpu/apic.ts';
import { missingFeatures } from '../processor-features.ts';
import type { Correspondence } from '../template/correspondence.ts';
import { textToQemu, textToVirtualBox } from '../video-memory.ts';
import { planTwins } from './chipset/i440fx.ts';
import type { BusDevice } from './chipset/pci.ts';
import { realTimeClock } from './chipset/real-time-clock.ts';
import { hasDeliverable, takesPic } from './cpu/local-apic.ts';
import { E1000_REGISTERS } from './network/e1000-registers.ts';

describe('local APIC', () => {
  const apic = (irr: number[], isr: number[], tpr = 0, on = true) => {
    const bits = (vectors: number[]) =>
      Array.from({ length: 8 }, (_, word) =>
        vectors.reduce((bit, v) => (v >>> 5 === word ? bit | (1 << (v & 31)) : bit), 0),
      );
    const page = { irr: bits(irr), isr: bits(isr), tpr, svr: on ? 0x1ff : 0xff, lvtLint0: 0x10000 };
    return { base: 0xfee00900n, page } as unknown as Apic['cpu'][number];
  };

  it('has something for its CPU only above what is in service and above its priority', () => {
    expect(hasDeliverable(apic([], []))).toBe(false);
    expect(hasDeliverable(apic([0xff], []))).toBe(true);
    expect(hasDeliverable(apic([0x31], [0x35]))).toBe(false);
    expect(hasDeliverable(apic([0x41], [0x35]))).toBe(true);
    expect(hasDeliverable(apic([0x41], [], 0x40))).toBe(false);
    expect(hasDeliverable(apic([0x41], [], 0, false))).toBe(false);
    expect(takesPic(apic([], []))).toBe(false);
  });
});

describe('interrupts of PCI devices', () => {
  const MASKED = 0x10000n;
  const device = (slot: number) => {
    const config = new Uint8Array(256);
    config[0x3d] = 1;
    return { devfn: 8 * slot, config, pinLevel: 0 } as unknown as BusDevice;
  };
  const lines = (open: readonly number[]) =>
    ({
      redirections: Array.from({ length: 24 }, (_, i) => (open.includes(i) ? 0xa000n : MASKED)),
    }) as unknown as IoApic;

  it('get a line of their own, which nobody has', () => {
    const [nic, other] = [device(3), device(8)];
    const { twins } = planTwins([nic, other], lines([19, 16, 11]), [10]);
    expect(twins.map(({ from, to, register }) => [from, to, register])).toEqual([
      [19, 5, 2],
      [16, 7, 3],
    ]);
  });

  it('that the guest has not set up, or that two lines of VirtualBox share a register for, are told', () => {
    const [nic, far] = [device(3), device(7)];
    expect(planTwins([nic], lines([]), [])).toMatchObject({ twins: [], unrouted: [nic] });
    expect(planTwins([nic, far], lines([19, 23]), [])).toMatchObject({ homeless: [far] });
  });
});

describe('the processor', () => {
  it('has to have the features that the guest has switched on, and no others', () => {
    const cpu = (cr4: bigint, efer = 0n, xcr0 = 1n) => ({ context: { cr4, efer, xcr0 } });
    const all = { nx: true, lm: true, xsave: true, smep: true, avx: false, pcid: false };
    expect(missingFeatures([cpu(0n)], {})).toEqual([]);
    expect(missingFeatures([cpu(1n << 20n, 0xd00n)], all)).toEqual([]);
    expect(missingFeatures([cpu(0n), cpu(1n << 17n)], all)).toEqual(['pcid']);
    expect(missingFeatures([cpu(1n << 18n, 0n, 7n)], all)).toEqual(['avx']);
    expect(missingFeatures([cpu(1n << 18n, 0n, 3n)], all)).toEqual([]);
  });
});

describe('text in video memory', () => {
  it('lies elsewhere in QEMU, and comes back', () => {
    const memory = new Uint8Array(1 << 19);
    for (const [k, letter] of [...Buffer.from('WAKE')].entries()) memory.set([letter, 7, k, k], 8 * k);
    const before = memory.slice();
    textToQemu(memory);
    expect([0, 1, 2, 3].map((k) => memory[4 * k])).toEqual([...Buffer.from('WAKE')]);
    textToVirtualBox(memory);
    for (const k of [0, 1, 2, 3]) expect(memory.subarray(8 * k, 8 * k + 2)).toEqual(before.subarray(8 * k, 8 * k + 2));
  });
});

describe('the clock', () => {
  const table: readonly Correspondence[] = realTimeClock;
  const row = (qemu: string) => table.find((each) => each.qemu === qemu)?.wake;
  const rtc = (cmos: Record<number, number>) => {
    const bytes = new Uint8Array(128);
    for (const [at, value] of Object.entries(cmos)) bytes[Number(at)] = value;
    return {
      cmos: bytes,
      ...{ second: 58, minute: 59, hour: 23, day: 28, month: 1, year: 124 },
      nextSecond: 1_500_000_000n,
    };
  };
  const moment = { now: 1_200_000_000n, lag: 0n };

  it('goes on within its second', () => {
    expect(row('base_rtc')?.(rtc({}), moment)).toBe(BigInt(Date.UTC(2024, 1, 28, 23, 59, 58) / 1000));
    expect(row('offset')?.(rtc({}), moment)).toBe(700_000_000n);
  });

  it('keeps its alarm, also one that comes in each hour or minute', () => {
    const alarm = (cmos: Record<number, number>) => row('next_alarm_time')?.(rtc(cmos), moment);
    // 24 hours, BCD: the next second is 23:59:59.
    expect(alarm({ 11: 0x02, 1: 0x59, 3: 0xff, 5: 0xff })).toBe(1_500_000_000n);
    expect(alarm({ 11: 0x02, 1: 0x00, 3: 0x00, 5: 0x00 })).toBe(2_500_000_000n);
    // 12 hours, binary: one in the afternoon.
    expect(alarm({ 11: 0x04, 1: 0, 3: 0, 5: 0x81 })).toBe(1_500_000_000n + 1_000_000_000n * (13n * 3600n + 1n));
  });
});

it('registers of the e1000 are those of the manual, each once', () => {
  expect(E1000_REGISTERS).toHaveLength(124);
  expect(new Set(E1000_REGISTERS.map(([, offset]) => offset)).size).toBe(124);
  const place = Object.fromEntries(E1000_REGISTERS);
  const manual = {
    ICR: 0xc0,
    RDT: 0x2818,
    TDT: 0x3818,
    GPRC: 0x4074,
    TPT: 0x40d4,
    RXCSUM: 0x5000,
    VFTA: 0x5600,
    MANC: 0x5820,
  };
  for (const [name, offset] of Object.entries(manual)) expect([name, place[name]]).toEqual([name, offset]);
});
