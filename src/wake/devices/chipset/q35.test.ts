import { describe, expect, it } from 'vitest';
import type { IoApic } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Acpi } from '../../../../formats/units/chipset/legacy.ts';
import type { Apic } from '../../../../formats/units/cpu/apic.ts';
import { ICH9_MACHINES, template } from '../../testing/woken.ts';
import type { MachineUnits } from '../../units/machine-units.ts';
import { lineOf, MASKED, REMOTE_IRR, wakeTwins } from './interrupt-routes.ts';
import { deliverHeld } from './lines-back.ts';
import { interruptsByMessages, takeMessagesBack, wakeMessages } from './msi.ts';
import { type BusDevice, configOf } from './pci.ts';
import { planLines, Q35, q35Line } from './q35.ts';

const device = (devfn: number) => {
  const config = new Uint8Array(256);
  config[0x3d] = 1;
  return { devfn, config, pinLevel: 0 } as BusDevice;
};
const lines = (open: readonly number[]) =>
  ({
    redirections: Array.from({ length: 24 }, (_, i) => (open.includes(i) ? 0xa000n : MASKED)),
  }) as unknown as IoApic;

/** Where 7.2.22 has them: the first network card, the second, OHCI of PIIX3, AHCI of either chipset. */
const [NIC, NIC_2, OHCI, AHCI, AHCI_ICH9] = [0x18, 0x40, 0x30, 0x68, 0xfa];

describe('interrupts of PCI devices on Q35', () => {
  it('have the line that VirtualBox has where bit 2 of slot and pin is set', () => {
    for (const devfn of [OHCI, AHCI, 0x20, 0x28, 0x38, 0x60])
      expect([devfn, q35Line(devfn, 0)]).toEqual([devfn, lineOf(devfn, 0)]);
    expect([NIC, NIC_2, AHCI_ICH9].map((devfn) => [lineOf(devfn, 0), q35Line(devfn, 0)])).toEqual([
      [19, 23],
      [16, 20],
      [23, 16],
    ]);
  });

  it('need a twin where QEMU has another line, unless their line follows the guest', () => {
    const [nic, ahci] = [device(NIC), device(AHCI)];
    expect(planLines([nic, ahci], lines([19, 21]))).toMatchObject({ twins: [{ device: nic, from: 19, to: 23 }] });
    // An interrupt that is set up later arrives all the same.
    expect(planLines([ahci], lines([]))).toEqual({ twins: [], unrouted: [], homeless: [] });
    expect(planLines([nic], lines([]))).toMatchObject({ twins: [], unrouted: [nic] });
  });

  it('take no line from a device that has it in both machines', () => {
    // Slot 7 is on line 23 in both.
    const [nic, other] = [device(NIC), device(0x38)];
    expect(planLines([nic, other], lines([19]))).toMatchObject({ twins: [], homeless: [nic] });
  });

  it('take a line of the guest whose device is elsewhere in QEMU, or not there', () => {
    const [nic, ahci] = [device(NIC), device(AHCI_ICH9)];
    expect(planLines([ahci, nic], lines([19, 23]))).toMatchObject({
      twins: [
        { device: ahci, from: 23, to: 16 },
        { device: nic, from: 19, to: 23 },
      ],
    });
    expect(planLines([nic], lines([19, 23]))).toMatchObject({ twins: [{ device: nic, from: 19, to: 23 }] });
  });
});

/** A device that has interrupts by messages, as VirtualBox's AHCI has them: addresses of 32 bits. */
function messenger(isEnabled: boolean): BusDevice {
  const { config, ...rest } = device(AHCI_ICH9);
  const view = new DataView(config.buffer);
  view.setUint16(6, 0x10, true);
  view.setUint8(0x34, 0x70);
  view.setUint16(0x70, 0x8001, true);
  view.setUint16(0x80, 5, true);
  view.setUint16(0x82, isEnabled ? 1 : 0, true);
  view.setUint32(0x84, 0xfee0_1000, true);
  view.setUint16(0x88, 0x4041, true);
  return { ...rest, config };
}

describe.each(ICH9_MACHINES)('in %s', (machine) => {
  const section = async () => (await template(machine)).section('0000:00:1f.2/ich9_ahci');

  it('messages of a device arrive where the guest wants them', async () => {
    const ahci = await section();
    expect(interruptsByMessages(messenger(true))).toBe(true);
    wakeMessages(ahci, messenger(true));
    const config = configOf(ahci);
    expect(config.getUint16(0x82, true)).toBe(0x81);
    expect([config.getUint32(0x84, true), config.getUint32(0x88, true)]).toEqual([0xfee0_1000, 0]);
    expect(config.getUint16(0x8c, true)).toBe(0x4041);
    const back = messenger(false);
    back.config.fill(0, 0x84, 0x8a);
    expect(takeMessagesBack(ahci, back)).toBe(true);
    expect(back.config).toEqual(messenger(true).config);
  });

  it('a device that interrupts by its pin sends no messages', async () => {
    const ahci = await section();
    const before = ahci.bytes('parent_obj.config[0]');
    expect(interruptsByMessages(messenger(false))).toBe(false);
    wakeMessages(ahci, messenger(false));
    wakeMessages(ahci, device(AHCI_ICH9));
    expect(ahci.bytes('parent_obj.config[0]')).toEqual(before);
  });

  it('ROMs are read and not written, and power management is where the guest knows it', async () => {
    const target = await template(machine);
    Q35.putPower(target, { pmBase: 0x4000 } as Acpi, device(0x38));
    Q35.putBridges(target, undefined);
    Q35.hold(target, '0000:00:03.0/e1000', { ...device(NIC), pinLevel: 1 });
    const bridge = configOf(target.section(Q35.sections.ISA_BRIDGE));
    expect([bridge.getUint32(0x40, true), bridge.getUint8(0x44) & 0x80]).toEqual([0x4001, 0x80]);
    // Else QEMU shows configuration spaces at 0xd0000000, where the guest may have RAM.
    expect(configOf(target.section(Q35.sections.HOST_BRIDGE)).getUint32(0x60, true) & 1).toBe(0);
    expect(target.section('PCIBUS').number('irq_count[7]')).toBe(1n);
    const [acpi, own] = [{ pmBase: 0x600, pmTimerInitial: 5n } as unknown as Acpi, device(0x38)];
    Q35.takePower(target, acpi, own);
    expect([acpi.pmBase, acpi.pmTimerInitial, own.config[0x40], own.config[0x41]]).toEqual([0x4000, 0n, 1, 0x40]);
  });
});

describe.each(ICH9_MACHINES)('lines that are exchanged in %s', (machine) => {
  const entries = (open: Record<number, bigint>) => Array.from({ length: 24 }, (_, i) => open[i] ?? MASKED);

  it('arrive, and are the guest’s own again on the way back', async () => {
    const [nic, ahci] = [
      { ...device(NIC), pinLevel: 1 },
      { ...device(AHCI_ICH9), pinLevel: 0 },
    ];
    const [ofNic, ofAhci] = [0x100_0000_0000_a041n, 0x200_0000_0000_a052n];
    const before = { redirections: entries({ 19: ofNic, 23: ofAhci }), irr: 1 << 19 } as unknown as IoApic;
    const target = await template(machine);
    const section = target.section('ioapic');
    for (const [i, each] of before.redirections.entries()) section.set(`ioredtbl[${i}]`, each);
    section.set('irr', 1n << 19n);
    wakeTwins(target, planLines([nic, ahci], before));
    expect([16, 23].map((line) => section.number(`ioredtbl[${line}]`))).toEqual([ofAhci, ofNic]);
    expect(section.number('irr')).toBe(1n << 23n);
    // Meanwhile the guest has masked the line that it knows, and QEMU has delivered what the card holds.
    const found = before.redirections.map((_, i) => section.number(`ioredtbl[${i}]`));
    found[19] |= MASKED;
    found[23] |= REMOTE_IRR;
    const after = { redirections: found, irr: 1 << 23 } as unknown as IoApic;
    const bus = { apicLevels: new Array(8).fill(0) };
    const units = { need: () => bus } as unknown as MachineUnits;
    Q35.takeRoutes(units, target, { ioApic: after, apic: undefined, devices: [nic, ahci] });
    expect(after.redirections).toEqual(entries({ 19: ofNic | MASKED | REMOTE_IRR, 23: ofAhci }));
    expect([after.irr, bus.apicLevels]).toEqual([1 << 19, [0, 0, 0, 1, 0, 0, 0, 0]]);
  });
});

it('an interrupt that a device holds and QEMU could not deliver is delivered on the way back', () => {
  const nic = { ...device(NIC), pinLevel: 1 };
  const page = (id: number) => ({ id, ldr: (1 << id) << 24, irr: zeros(), tmr: zeros() });
  const zeros = () => new Array<number>(8).fill(0);
  const cpu = [{ page: page(0) }, { page: page(1) }];
  const logical = 0x200_0000_0000_a824n;
  const ioApic = { redirections: new Array(24).fill(MASKED), irr: 0 } as unknown as IoApic;
  ioApic.redirections[19] = logical;
  deliverHeld(ioApic, { cpu } as unknown as Apic, [{ device: nic, from: undefined, to: 19 }]);
  expect(cpu.map(({ page: { irr, tmr } }) => [irr[1], tmr[1]])).toEqual([
    [0, 0],
    [0x10, 0x10],
  ]);
  expect(ioApic.redirections[19]).toBe(logical | REMOTE_IRR);
});

it('a capability list that leads in a circle ends', () => {
  const circle = messenger(true);
  circle.config[0x71] = 0x70;
  expect(interruptsByMessages(circle)).toBe(false);
});
