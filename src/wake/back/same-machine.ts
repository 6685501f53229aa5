import { UnsupportedError } from '../../../formats/errors.ts';
import { CPU_SECTION } from '../../../formats/qemu/cpu.ts';
import type { Hpet } from '../../../formats/units/chipset/timers.ts';
import { type Card, cardsOf } from '../cards.ts';
import type { QemuBoard } from '../devices/chipset/board.ts';
import { boardOf } from '../devices/chipset/boards.ts';
import { hpetThatGoesOn, isInUse } from '../devices/chipset/hpet.ts';
import { unfitAddress } from '../devices/chipset/pci.ts';
import { QEMU_AHCI_PORTS } from '../devices/storage/ahci.ts';
import { isBusy } from '../devices/storage/ide.ts';
import type { SectionImage } from '../template/section-image.ts';
import type { Template } from '../template/template.ts';
import type { MachineUnits } from '../units/machine-units.ts';

/** The error for a machine of QEMU that cannot become a state of VirtualBox. */
function refused(reason: string): UnsupportedError {
  return new UnsupportedError('not-wakeable', `Cannot bring back: ${reason}`);
}

/** A section of a device on a PCI bus: bus, place, name. */
const PCI_SECTION = /^[0-9a-f]{4}:[0-9a-f]{2}:([0-9a-f]{2}\.[0-7])\/(.+)$/;

/**
 * Makes sure that the machine of QEMU has the devices of the template's machine, at the same places, and that none of
 * them is busy. @throws UnsupportedError `not-wakeable`
 */
export function expectSameMachine(units: MachineUnits, template: Template): void {
  expectSameBoard(units, template);
  const cpus = units.collected.state.cpum?.cpus.length ?? 0;
  if (!template.find(CPU_SECTION, cpus - 1) || template.find(CPU_SECTION, cpus))
    throw refused(`the template has ${cpus} CPUs, the machine of QEMU another number`);
  const ram = template.blocks.filter(({ isRam }) => isRam).reduce((sum, { size }) => sum + size, 0);
  const own = units.collected.state.pgm?.ramSize ?? 0;
  if (ram !== own) throw refused(`the template has ${own} bytes of RAM, the machine of QEMU ${ram}`);
  expectSameDevices(units, template);
  expectQuiet(template, cpus, boardOf(units));
}

/** QEMU's machine types by chipset, which is known by the unit of its bus. */
const BOARDS = [
  { unit: 'pci/0', chipset: 'PIIX3', machine: /^pc(-i440fx.*|-\d.*)?$/, name: 'pc-i440fx' },
  { unit: 'ich9pci/0', chipset: 'ICH9', machine: /^(pc-)?q35/, name: 'pc-q35' },
];

function expectSameBoard(units: MachineUnits, { machine }: Template): void {
  const board = BOARDS.find(({ unit }) => units.has(unit));
  if (!board) throw refused('the template has neither unit pci/0 nor ich9pci/0, and so no chipset that is known');
  if (!board.machine.test(machine))
    throw refused(
      `the template is of a machine with the chipset ${board.chipset}, which is QEMU's ${board.name}; ` +
        `the machine of QEMU is a ${machine}`,
    );
}

function expectSameDevices(units: MachineUnits, template: Template): void {
  const cards = cardsOf(units, new Set());
  const { sections } = boardOf(units);
  const wanted = [
    ...[sections.HOST_BRIDGE, sections.ISA_BRIDGE, sections.POWER],
    ...(units.has('piix3ide/0') ? [sections.IDE] : []),
    ...(units.has('vga/0') ? [sections.GRAPHICS] : []),
    ...cards.map(({ section }) => section),
  ];
  const missing = wanted.find((section) => !template.find(section));
  if (missing !== undefined) throw refused(`the template has ${nameOf(missing, cards)}, the machine of QEMU does not`);
  for (const { name } of template.sections)
    if (PCI_SECTION.test(name) && !wanted.includes(name) && name !== sections.IDE)
      throw refused(`the machine of QEMU has ${nameOf(name, cards)}, the template does not`);
  const serial = template.sections.filter(({ name }) => name === 'serial').length;
  if (serial !== units.instancesOf('serial').length)
    throw refused(`the machine of QEMU has ${serial} serial ports, the template another number`);
  for (const { kind, unit, section, device } of cards) {
    const address = unfitAddress(template.section(section), device, kind.regions);
    if (address !== undefined)
      throw refused(
        `the guest has ${unit} at 0x${address.toString(16)}, where VirtualBox's, which is larger, has no place`,
      );
  }
  expectSameHpet(units, template);
}

function expectSameHpet(units: MachineUnits, template: Template): void {
  const own = units.find<Hpet>('hpet/0');
  const found = template.find('hpet');
  const ON = 1n;
  if (hpetThatGoesOn(units, new Set())) {
    if (!found) throw refused('the template has a HPET, the machine of QEMU does not');
    return;
  }
  if (found && (found.number('config') & ON) !== 0n)
    throw refused(`the guest uses a HPET, the template has ${own ? 'one that ticks at another rate' : 'none'}`);
  if (own && isInUse(own)) throw refused('the guest of the template uses a HPET that QEMU does not have');
}

function nameOf(section: string, cards: readonly Card[]): string {
  const [, place, name] = PCI_SECTION.exec(section) ?? [];
  return `${cards.find((card) => card.section === section)?.unit ?? name} at ${place}`;
}

/** Parts that QEMU writes for a drive or channel in mid-transfer. */
const UNDER_WAY = ['ide_drive/pio_state', 'ide_bus/error', 'bmdma/current_chain'];
/** Number of commands of an AHCI port; as the number of a command it means none. */
const SLOTS = 32;
const NO_SLOT = -1n;
const X2APIC = 0x400n;

function expectQuiet(template: Template, cpus: number, { sections }: QemuBoard): void {
  const ide = template.find(sections.IDE);
  for (const channel of ide ? [0, 1] : [])
    for (const drive of [0, 1])
      if (isBusy(Number(ide?.number(`bus[${channel}].ifs[${drive}].status`) ?? 0n)))
        throw refused(`a transfer of IDE channel ${channel} is under way; let the machine run on for a moment`);
  if (ide && UNDER_WAY.some((part) => ide.hasPart(part)))
    throw refused('a transfer of a disk is under way; let the machine run on for a moment');
  const ahci = template.sections.find(({ name }) => name.endsWith('/ich9_ahci'))?.name;
  if (ahci !== undefined && isAhciBusy(template.section(ahci)))
    throw refused('a transfer of the AHCI controller is under way; let the machine run on for a moment');
  for (let i = 0; i < cpus; i++)
    if ((template.section('apic', i).number('apicbase') & X2APIC) !== 0n)
      throw refused('the guest uses its local APICs in x2APIC mode');
}

function isAhciBusy(section: SectionImage): boolean {
  return Array.from({ length: QEMU_AHCI_PORTS }, (_, port) => `ahci.dev[${port}].`).some(
    (port) =>
      section.number(`${port}port_regs.cmd_issue`) !== 0n ||
      section.number(`${port}busy_slot`) !== NO_SLOT ||
      Array.from({ length: SLOTS }, (_, slot) => section.number(`${port}ncq_tfs[${slot}].used`)).some(Boolean),
  );
}
