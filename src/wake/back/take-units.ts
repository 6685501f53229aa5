import { CPU_SECTION } from '../../../formats/qemu/cpu.ts';
import type { I8259, IoApic } from '../../../formats/units/chipset/interrupt-controllers.ts';
import type { Acpi } from '../../../formats/units/chipset/legacy.ts';
import type { Ich9Bus, Piix3Bus } from '../../../formats/units/chipset/pci-codec.ts';
import type { Apic } from '../../../formats/units/cpu/apic.ts';
import type { CpumUnit } from '../../../formats/units/cpu/cpum-codec.ts';
import type { Em } from '../../../formats/units/cpu/em.ts';
import type { Tm } from '../../../formats/units/cpu/tm.ts';
import type { Ide } from '../../../formats/units/storage/ata-codecs.ts';
import { cardsOf } from '../cards.ts';
import type { Chip } from '../devices/chipset/board.ts';
import { boardOf } from '../devices/chipset/boards.ts';
import { hpetThatGoesOn } from '../devices/chipset/hpet.ts';
import { takeMessagesBack } from '../devices/chipset/msi.ts';
import { holdsPin, pinOf, type RegionPairs, takeConfigBack } from '../devices/chipset/pci.ts';
import { takeCpuBack } from '../devices/cpu/cpu-back.ts';
import { localApic, WAITS_FOR_START } from '../devices/cpu/local-apic.ts';
import { serialPort } from '../devices/ports/serial-port.ts';
import { takeInterruptsBack } from '../devices/storage/ide.ts';
import { deviceTable, rowsOf } from '../devices/table.ts';
import { partOf } from '../put-state.ts';
import { type Moment, takeBack } from '../template/correspondence.ts';
import type { Template } from '../template/template.ts';
import { RunNumber } from '../units/cpu-state.ts';
import type { MachineUnits } from '../units/machine-units.ts';

/** Devices that are given up: on the way back none. */
const NONE: ReadonlySet<string> = new Set();

/** Puts QEMU's values into the decoded units of a template. */
export function takeUnits(units: MachineUnits, template: Template): void {
  const moment = takeClocks(units, template);
  takeCpus(units, template, moment);
  for (const row of deviceTable(boardOf(units))) {
    const value = units.find<object>(row.unit);
    if (!value || (row.unit === 'hpet/0' && !hpetThatGoesOn(units, NONE))) continue;
    const section = template.section(...row.section);
    takeBack(rowsOf(row, section), section, partOf(value, row.part), moment);
  }
  for (const instance of units.instancesOf('serial'))
    takeBack(serialPort, template.section('serial', instance), units.need(`serial/${instance}`), moment);
  const pics = units.find<I8259>('i8259/0');
  const ide = units.find<Ide>('piix3ide/0');
  if (pics && ide) takeInterruptsBack(ide, pics.slave);
  takeBus(units, template, moment);
}

function takeClocks(units: MachineUnits, template: Template): Moment {
  const clocks = template.section('timer');
  const now = clocks.number('cpu_clock_offset');
  const tsc = BigInt.asUintN(64, clocks.number('cpu_ticks_offset'));
  const tm = units.need<Tm>('tm/1');
  Object.assign(tm, { virtual: now, virtualSync: now, offset: 0n, givenUp: 0n, catchUp: false });
  tm.tsc = tm.tsc.map(() => tsc);
  return { now, lag: 0n };
}

function takeCpus(units: MachineUnits, template: Template, moment: Moment): void {
  const cpum = units.need<CpumUnit>('cpum/1');
  const em = units.need<Em>('em/0').cpus;
  for (const [i, cpu] of cpum.cpus.entries()) {
    takeCpuBack(template.section(CPU_SECTION, i), cpu);
    em[i].state = runStateOf(template, i);
    const apic = units.find<Apic>('apic/0')?.cpu[i];
    if (apic) takeBack(localApic, template.section('apic', i), apic, moment);
  }
  const vmm = units.find<{ started: boolean[] }>('vmm/1');
  if (vmm) vmm.started = vmm.started.map((_, i) => em[i + 1].state !== RunNumber['waits-for-start']);
}

function runStateOf(template: Template, i: number): number {
  const apic = template.section('apic', i);
  if (apic.has(WAITS_FOR_START) && apic.number(WAITS_FOR_START) !== 0n) return RunNumber['waits-for-start'];
  return template.section('cpu_common', i).number('halted') !== 0n ? RunNumber.halted : RunNumber.runs;
}

/** Chips whose configuration the guest sets. */
const CHIPS: readonly { chip: Chip; regions: RegionPairs }[] = [
  { chip: 'IDE', regions: [[4, 4]] },
  { chip: 'GRAPHICS', regions: [[0, 0]] },
];

function takeBus(units: MachineUnits, template: Template, moment: Moment): void {
  const board = boardOf(units);
  const bus = units.find<Piix3Bus>('pci/0') ?? units.need<Ich9Bus>('ich9pci/0');
  const at = (chip: Chip) => bus.devices.find(({ devfn }) => devfn === board.places[chip]);
  bus.address = Number(template.section('PCIHost').number('config_reg') & 0xffff_ffffn);
  for (const { chip, regions } of CHIPS) {
    const device = at(chip);
    const found = template.find(board.sections[chip]);
    if (device && found) takeConfigBack(found, device, regions);
  }
  const acpi = units.find<Acpi>('acpi/0');
  if (acpi) board.takePower(template, acpi, at('POWER'));
  const devices = cardsOf(units, NONE).flatMap(({ kind, unit, device, section }) => {
    const image = template.section(section);
    takeBack(kind.table(image), image, units.need(unit), moment);
    const sendsMessages = takeMessagesBack(image, device);
    takeConfigBack(image, device, kind.regions, sendsMessages);
    device.pinLevel = !sendsMessages && holdsPin(image, pinOf(device) ?? 0) ? 1 : 0;
    return sendsMessages ? [] : [device];
  });
  board.takeRoutes(units, template, {
    ioApic: units.find<IoApic>('ioapic/0'),
    apic: units.find<Apic>('apic/0'),
    devices,
  });
}
