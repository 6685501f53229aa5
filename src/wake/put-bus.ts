import type { IoApic } from '../../formats/units/chipset/interrupt-controllers.ts';
import type { Acpi } from '../../formats/units/chipset/legacy.ts';
import { type Card, cardsOf } from './cards.ts';
import type { Chip } from './devices/chipset/board.ts';
import { boardOf } from './devices/chipset/boards.ts';
import { busOf } from './devices/chipset/bus.ts';
import { type Routes, wakeTwins } from './devices/chipset/interrupt-routes.ts';
import { interruptsByMessages, wakeMessages } from './devices/chipset/msi.ts';
import { copyConfig, editConfig, mapMemory, sectionName, silence, wakeConfig } from './devices/chipset/pci.ts';
import { gapPlace, ramPlan } from './ram-plan.ts';
import { type Moment, wakeSection } from './template/correspondence.ts';
import type { Template } from './template/template.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/** The region of ivshmem-plain that shows its memory. */
const MEMORY_REGION = 2;

/** Registers of the IDE controller beyond those that every device has. */
const IDE_OWN = { start: 0x40, count: 0x10 };
/** Registers for access to the memory from 0xC0000 to 0xFFFFF (PAM), which becomes read-only. */
const SHADOW_REGISTERS = 7;
const READ_HIGH = 0x10;
const READ_BOTH = 0x11;

/** Puts the bus and the chips on it into the template. */
export function putBus(units: MachineUnits, template: Template): void {
  const board = boardOf(units);
  const bus = busOf(units);
  const at = (chip: Chip) => bus?.devices.find(({ devfn }) => devfn === board.places[chip]);
  template.section('PCIHost').set('config_reg', BigInt(bus?.address ?? 0));
  editConfig(template.section(board.sections.HOST_BRIDGE), (config) => {
    config.setUint8(board.shadows, READ_HIGH);
    for (let i = 1; i < SHADOW_REGISTERS; i++) config.setUint8(board.shadows + i, READ_BOTH);
  });
  board.putBridges(template, at('ISA_BRIDGE'));
  for (const [i, { gcPhys }] of ramPlan(units.collected.state).gaps.entries())
    mapMemory(template.section(sectionName(gapPlace(i), 'ivshmem-plain')), MEMORY_REGION, gcPhys);
  const ide = at('IDE');
  if (ide && units.has('piix3ide/0')) {
    const section = template.section(board.sections.IDE);
    wakeConfig(section, ide, [[4, 4]]);
    copyConfig(section, ide, IDE_OWN.start, IDE_OWN.count);
  }
  const power = at('POWER');
  const acpi = units.find<Acpi>('acpi/0');
  if (power && acpi) board.putPower(template, acpi, power);
  const graphics = at('GRAPHICS');
  const { GRAPHICS } = board.sections;
  if (graphics && template.find(GRAPHICS)) wakeConfig(template.section(GRAPHICS), graphics, [[0, 0]]);
}

/** Puts the cards into the template. They come last: their interrupts change the I/O APIC and the bridges. */
export function putCards(units: MachineUnits, template: Template, { without }: WakeOptions, moment: Moment): void {
  const board = boardOf(units);
  const cards = cardsOf(units, without);
  const routes = interruptRoutes(units, cards);
  const silent = routes ? [...routes.unrouted, ...routes.homeless] : [];
  for (const { kind, unit, device, section } of cards) {
    const image = template.section(section);
    wakeSection(kind.table(image), units.need(unit), image, moment);
    wakeConfig(image, device, kind.regions);
    wakeMessages(image, device);
    if (silent.includes(device)) silence(image);
    else board.hold(template, section, device);
  }
  if (!routes) return;
  wakeTwins(template, routes);
  board.connect(template, routes.twins);
}

/** ISA lines that devices of the machine have. */
function takenLines(units: MachineUnits): number[] {
  return units.instancesOf('serial').map((instance) => units.need<{ irq: number }>(`serial/${instance}`).irq);
}

/** Routes of PCI interrupts; undefined if the guest uses the 8259s, whose routes are the same in QEMU. */
export function interruptRoutes(units: MachineUnits, cards: readonly Card[]): Routes | undefined {
  const ioApic = units.find<IoApic>('ioapic/0');
  if (!ioApic || busOf(units)?.usesIoApic !== true) return undefined;
  return boardOf(units).planRoutes(
    cards.map(({ device }) => device).filter((device) => !interruptsByMessages(device)),
    ioApic,
    takenLines(units),
  );
}
