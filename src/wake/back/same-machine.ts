import { UnsupportedError } from '../../../formats/errors.ts';
import { CPU_SECTION } from '../../../formats/qemu/cpu.ts';
import { type Card, cardsOf } from '../cards.ts';
import { Section } from '../devices/chipset/i440fx.ts';
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
/** Bridges that every machine has. */
const CHIPS: readonly string[] = [Section.HOST_BRIDGE, Section.ISA_BRIDGE, Section.POWER];

/**
 * Makes sure that the machine of QEMU has the devices of the one that the template is of, at the same places, and that
 * nothing is under way in them. @throws UnsupportedError `not-wakeable`
 */
export function expectSameMachine(units: MachineUnits, template: Template): void {
  expectPiix3(units, template);
  const cpus = units.collected.state.cpum?.cpus.length ?? 0;
  if (!template.find(CPU_SECTION, cpus - 1) || template.find(CPU_SECTION, cpus))
    throw refused(`the template has ${cpus} CPUs, the machine of QEMU another number`);
  const ram = template.blocks.filter(({ isRam }) => isRam).reduce((sum, { size }) => sum + size, 0);
  const own = units.collected.state.pgm?.ramSize ?? 0;
  if (ram !== own) throw refused(`the template has ${own} bytes of RAM, the machine of QEMU ${ram}`);
  expectSameDevices(units, template);
  expectQuiet(template, cpus);
}

const ONLY_PIIX3 =
  "only machines with the chipset PIIX3 come back, as QEMU's pc-i440fx; from ICH9 and q35 there is no way back yet";

function expectPiix3(units: MachineUnits, { machine }: Template): void {
  if (units.has('ich9pci/0')) throw refused(`the template is of a machine with the chipset ICH9; ${ONLY_PIIX3}`);
  if (!units.has('pci/0')) throw refused(`the template has no unit pci/0; ${ONLY_PIIX3}`);
  if (/q35/.test(machine)) throw refused(`the machine of QEMU is a ${machine}; ${ONLY_PIIX3}`);
}

function expectSameDevices(units: MachineUnits, template: Template): void {
  const cards = cardsOf(units, new Set());
  const wanted = [
    ...CHIPS,
    ...(units.has('piix3ide/0') ? [Section.IDE] : []),
    ...(units.has('vga/0') ? [Section.GRAPHICS] : []),
    ...cards.map(({ section }) => section),
  ];
  const missing = wanted.find((section) => !template.find(section));
  if (missing !== undefined) throw refused(`the template has ${nameOf(missing, cards)}, the machine of QEMU has not`);
  for (const { name } of template.sections)
    if (PCI_SECTION.test(name) && !wanted.includes(name) && name !== Section.IDE)
      throw refused(`the machine of QEMU has ${nameOf(name, cards)}, the template has not`);
  const serial = template.sections.filter(({ name }) => name === 'serial').length;
  if (serial !== units.instancesOf('serial').length)
    throw refused(`the machine of QEMU has ${serial} serial ports, the template another number`);
  const hpet = template.find('hpet');
  const ON = 1n;
  if (units.has('hpet/0') && !hpet) throw refused('the template has a HPET, the machine of QEMU has not');
  if (hpet && !units.has('hpet/0') && (hpet.number('config') & ON) !== 0n)
    throw refused('the guest uses a HPET, the template has none');
}

function nameOf(section: string, cards: readonly Card[]): string {
  const [, place, name] = PCI_SECTION.exec(section) ?? [];
  return `${cards.find((card) => card.section === section)?.unit ?? name} at ${place}`;
}

/** Parts that QEMU writes of a drive or channel in mid-transfer. */
const UNDER_WAY = ['ide_drive/pio_state', 'ide_bus/error', 'bmdma/current_chain'];
/** Commands of an AHCI port; as a command's number it means none. */
const SLOTS = 32;
const NO_SLOT = -1n;
const X2APIC = 0x400n;

function expectQuiet(template: Template, cpus: number): void {
  const ide = template.find(Section.IDE);
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
