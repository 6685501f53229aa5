import type { I8259, IoApic } from '../../formats/units/chipset/interrupt-controllers.ts';
import type { Acpi } from '../../formats/units/chipset/legacy.ts';
import type { Piix3Bus } from '../../formats/units/chipset/pci-codec.ts';
import type { Apic } from '../../formats/units/cpu/apic.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import { type Card, cardsOf } from './cards.ts';
import { holdLine, planTwins, type Routes, usesIoApic, wakeTwins } from './devices/chipset/interrupt-routes.ts';
import { type BusDevice, editConfig, mapMemory, sectionName, wakeConfig } from './devices/chipset/pci.ts';
import { Place, ROUTING_REGISTERS, Section } from './devices/chipset/piix3.ts';
import { wakeCpu } from './devices/cpu/cpu.ts';
import { hasDeliverable, localApic, setWaitsForStart, takesPic } from './devices/cpu/local-apic.ts';
import { serialPort } from './devices/ports/serial-port.ts';
import { DEVICE_TABLE, rowsOf } from './devices/table.ts';
import { GAP_PLACE, ramPlan } from './ram-plan.ts';
import { type Correspondence, type Moment, type UnitPart, valueAt, wakeSection } from './template/correspondence.ts';
import type { Template } from './template/template.ts';
import { type CpuState, cpuStates } from './units/cpu-state.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/**
 * Puts the state of all devices and processors into the template's sections, in place.
 * @throws UnsupportedError where this QEMU has no field for a value
 */
export function putState(units: MachineUnits, template: Template, options: WakeOptions): void {
  const tm = units.need<Tm>('tm/1');
  const moment: Moment = { now: tm.virtualSync, lag: tm.virtual - tm.virtualSync };
  const clocks = template.section('timer');
  clocks.set('cpu_clock_offset', tm.virtualSync);
  clocks.set('cpu_ticks_offset', tm.tsc[0] ?? 0n);
  putCpus(units, template, moment);
  for (const row of DEVICE_TABLE) {
    const value = isGivenUp(row.unit, options) ? undefined : units.find<UnitPart>(row.unit);
    if (!value) continue;
    const section = template.section(...row.section);
    wakeSection(rowsOf(row, section), partOf(value, row.part), section, moment);
  }
  for (const instance of units.instancesOf('serial'))
    put(template, ['serial', instance], serialPort, units.need(`serial/${instance}`), moment);
  putBus(units, template);
  putCards(units, template, options, moment);
  goOn(template);
}

/** @param unit `name/instance` */
function isGivenUp(unit: string, { without }: WakeOptions): boolean {
  return without.has(unit.split('/')[0]);
}

/** The part of a unit that a table is for. */
export function partOf(unit: UnitPart, part: string | undefined): UnitPart {
  return part === undefined ? unit : (valueAt(unit, part) as UnitPart);
}

function put(
  template: Template,
  section: readonly [string, number],
  table: readonly Correspondence[],
  unit: UnitPart,
  moment: Moment,
) {
  wakeSection(table, unit, template.section(...section), moment);
}

/** QEMU's name of what a machine does, with the zero that ends it. */
const RUNNING = Buffer.from('running\0');

/** The machine goes on by itself, unless QEMU is told otherwise. */
function goOn(template: Template): void {
  const section = template.section('globalstate');
  const text = section.bytes('runstate').fill(0);
  text.set(RUNNING);
  section.set('runstate', text);
  section.set('size', BigInt(RUNNING.length));
}

function putCpus(units: MachineUnits, template: Template, moment: Moment): void {
  const apics = units.find<Apic>('apic/0')?.cpu ?? [];
  const pics = units.find<I8259>('i8259/0');
  for (const [i, cpu] of cpuStates(units).entries()) {
    wakeCpu(cpu, template.section('cpu', i));
    const own = apics[i];
    const apic = template.section('apic', i);
    if (own) put(template, ['apic', i], localApic, own as unknown as UnitPart, moment);
    setWaitsForStart(apic, cpu.run === 'waits-for-start');
    const fromPic = i === 0 && pics !== undefined && wantsPic(pics) && (own === undefined || takesPic(own));
    putRunState(cpu, template, i, (own !== undefined && hasDeliverable(own)) || fromPic);
  }
  const port = template.section('port92');
  const A20 = 2n;
  const isOpen = cpuStates(units)[0]?.a20 ?? true;
  port.set('outport', (port.number('outport') & ~A20) | (isOpen ? A20 : 0n));
}

/** Whether the first 8259 raises its output. */
function wantsPic({ master, slave }: I8259): boolean {
  const waits = ({ irr, imr, isr, specialMask, priorityAdd }: I8259['master'], cascaded = 0) => {
    const requests = (irr | cascaded) & ~imr;
    const served = specialMask !== 0 ? isr & ~imr : isr;
    const rank = (lines: number) => {
      for (let n = 0; n < 8; n++) if (((lines >>> ((n + priorityAdd) & 7)) & 1) !== 0) return n;
      return 8;
    };
    return rank(requests) < rank(served);
  };
  const CASCADE = 4;
  return waits(master, waits(slave) ? CASCADE : 0);
}

/** What QEMU's `interrupt_request` calls an interrupt of a device. */
const HARDWARE = 2n;
/** Numbers of KVM for what a CPU does. */
const RunState = { runs: 0n, 'waits-for-start': 1n, halted: 3n } as const;

function putRunState({ run }: CpuState, template: Template, i: number, isInterrupted: boolean): void {
  const common = template.section('cpu_common', i);
  common.set('halted', run === 'runs' ? 0n : 1n);
  // Nobody raises again what was raised before; raised without a cause it is a spurious interrupt.
  common.set('interrupt_request', isInterrupted ? HARDWARE : 0n);
  template.section('cpu', i).set('env.mp_state', RunState[run]);
}

/** Of the device that shows memory, which of its regions does. */
const MEMORY_REGION = 2;

const IDE_OWN = { start: 0x40, end: 0x50 };
const ROUTES = { start: ROUTING_REGISTERS, end: ROUTING_REGISTERS + 4 };
/** Access to the memory from 0xC0000 to 0xFFFFF: it is read and not written. */
const SHADOWS = { first: 0x59, last: 0x5f };
const READ_HIGH = 0x10;
const READ_BOTH = 0x11;

function putBus(units: MachineUnits, template: Template): void {
  const bus = units.need<Piix3Bus>('pci/0');
  const at = (devfn: number) => bus.devices.find((device) => device.devfn === devfn);
  template.section('PCIHost').set('config_reg', BigInt(bus.address));
  editConfig(template.section(Section.HOST_BRIDGE), (config) => {
    config.setUint8(SHADOWS.first, READ_HIGH);
    for (let i = SHADOWS.first + 1; i <= SHADOWS.last; i++) config.setUint8(i, READ_BOTH);
  });
  const { gap } = ramPlan(units.collected.state);
  if (gap) mapMemory(template.section(sectionName(GAP_PLACE, 'ivshmem-plain')), MEMORY_REGION, gap.gcPhys);
  const isaBridge = at(Place.ISA_BRIDGE);
  if (isaBridge) copyConfig(template, Section.ISA_BRIDGE, isaBridge, ROUTES);
  const ide = at(Place.IDE);
  if (ide) {
    wakeConfig(template.section(Section.IDE), ide, [[4, 4]]);
    copyConfig(template, Section.IDE, ide, IDE_OWN);
  }
  const power = at(Place.POWER);
  if (power) putPowerPorts(units, template, power);
  const graphics = at(Place.GRAPHICS);
  if (graphics && template.find(Section.GRAPHICS)) wakeConfig(template.section(Section.GRAPHICS), graphics, [[0, 0]]);
}

function copyConfig(
  template: Template,
  section: string,
  { config }: BusDevice,
  { start, end }: { start: number; end: number },
): void {
  editConfig(template.section(section), (to) => {
    for (let i = start; i < end; i++) to.setUint8(i, config[i]);
  });
}

/** Registers of QEMU's power management with the ports that it answers at. */
const POWER_PORTS = 0x40;
const POWER_ENABLE = 0x80;
const SMBUS_PORTS = 0x90;

function putPowerPorts(units: MachineUnits, template: Template, device: BusDevice): void {
  const section = template.section(Section.POWER);
  wakeConfig(section, device, []);
  const acpi = units.find<Acpi>('acpi/0');
  if (!acpi) return;
  editConfig(section, (config) => {
    config.setUint32(POWER_PORTS, acpi.pmBase | 1, true);
    config.setUint8(POWER_ENABLE, config.getUint8(POWER_ENABLE) | 1);
    if (acpi.smbusBase !== 0) config.setUint32(SMBUS_PORTS, acpi.smbusBase | 1, true);
  });
}

/** They come last: their interrupts change the I/O APIC and the routing registers. */
function putCards(units: MachineUnits, template: Template, { without }: WakeOptions, moment: Moment): void {
  const cards = cardsOf(units, without);
  for (const { kind, unit, device, section } of cards) {
    const image = template.section(section);
    wakeSection(kind.table(image), units.need(unit), image, moment);
    wakeConfig(image, device, kind.regions);
    holdLine(template, section, device);
  }
  const routes = interruptRoutes(units, cards);
  if (routes) wakeTwins(template, routes);
}

/** ISA lines that devices of the machine have. */
function takenLines(units: MachineUnits): number[] {
  return units.instancesOf('serial').map((instance) => units.need<{ irq: number }>(`serial/${instance}`).irq);
}

/** How interrupts of PCI devices arrive; undefined where the guest uses the 8259s, whose routes are the same. */
export function interruptRoutes(units: MachineUnits, cards: readonly Card[]): Routes | undefined {
  const bus = units.need<Piix3Bus>('pci/0');
  const ioApic = units.find<IoApic>('ioapic/0');
  if (!ioApic || !usesIoApic(bus)) return undefined;
  return planTwins(
    cards.map(({ device }) => device),
    ioApic,
    takenLines(units),
  );
}
