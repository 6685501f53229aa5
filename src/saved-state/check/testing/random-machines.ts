import type { Random } from '../../../../formats/testing/random.ts';
import * as change from './machine-changes.ts';

/** A choice by name, for each of the features below. */
export type RandomMachine = Record<string, string>;

const { card, controller, disk, drive, modify, uart } = change;
type Choices = Record<string, readonly change.Change[]>;

/** Which ports have something, by choice: nothing, a disk, a drive, two disks. */
function attachments(
  to: string,
  bare: readonly change.Change[],
  first: string,
  second: string,
  hasDrives = true,
): Choices {
  return {
    empty: bare,
    disk: [...bare, ...disk(to, first)],
    second: [...bare, ...disk(to, second)],
    both: [...bare, ...disk(to, first), ...disk(to, second)],
    ...(hasDrives ? { drive: [...bare, drive(to, first)] } : {}),
  };
}

function flagOf(...options: string[]): Choices {
  return { no: [], yes: [modify(...options)] };
}

function cardIn(slot: number): Choices {
  const kinds = ['Am79C973', 'Am79C970A', 'Am79C960', '82540EM', '82543GC', '82545EM', 'virtio'];
  return { none: [], ...Object.fromEntries(kinds.map((kind) => [kind, [card(kind, slot)]])) };
}

function screens(): Choices {
  const kinds = ['vboxvga', 'vmsvga', 'vboxsvga'].flatMap((kind) =>
    [8, 16, 32].map((vram) => [`${kind}-${vram}`, [change.graphics(kind, vram)]] as const),
  );
  return { none: [], ...Object.fromEntries(kinds) };
}

const FEATURES: Readonly<Record<string, Choices>> = {
  chipset: { piix3: [], ich9: [modify('--chipset', 'ich9')] },
  cpus: { '1': [], '2': [modify('--cpus', '2', '--ioapic', 'on')] },
  ram: { '4': [], '8': [modify('--memory', '8')], '4000': [modify('--memory', '4000')] },
  ioapic: flagOf('--ioapic', 'on'),
  x2apic: flagOf('--x2apic', 'on'),
  acpi: flagOf('--acpi', 'on'),
  hpet: flagOf('--hpet', 'on'),
  paravirtualisation: {
    none: [],
    ...Object.fromEntries(
      ['default', 'legacy', 'minimal', 'hyperv', 'kvm'].map((provider) => [
        provider,
        [modify('--paravirtprovider', provider)],
      ]),
    ),
  },
  guest: Object.fromEntries(
    ['Other_64', 'Windows10_64', 'Debian_64', 'MacOS1013_64', 'FreeBSD_64'].map((type) => [
      type,
      [modify('--os-type', type)],
    ]),
  ),
  screen: screens(),
  monitors: { '1': [], '2': [modify('--monitorcount', '2')] },
  card1: cardIn(1),
  card2: cardIn(2),
  card4: cardIn(4),
  serial1: {
    none: [],
    usual: [uart(1, '0x3f8', '4')],
    elsewhere: [uart(1, '0x3e8', '4')],
    '16450': [uart(1, '0x3f8', '4', '--uart-type1', '16450')],
  },
  serial2: { none: [], usual: [uart(2, '0x2f8', '3')], elsewhere: [uart(2, '0x2e8', '5')] },
  ide: {
    none: [],
    ...attachments('ide', [change.ide('PIIX4')], '0:0', '1:1'),
    ich6: [change.ide('ICH6')],
    piix3: [change.ide('PIIX3')],
  },
  sata: {
    none: [],
    ...attachments('sata', [change.ahci(4)], '0', '3'),
    few: [change.ahci(1)],
    many: [change.ahci(30)],
  },
  scsi: {
    none: [],
    ...attachments('lsi', [change.lsi], '0', '15'),
    ...Object.fromEntries(
      Object.entries(attachments('bus', [change.buslogic], '0', '6')).map(([choice, made]) => [`bus-${choice}`, made]),
    ),
  },
  sas: { none: [], ...attachments('sas', [change.sas(8)], '0', '5'), few: [change.sas(2)] },
  nvme: { none: [], ...attachments('nvme', [change.nvme(2)], '0', '1', false), few: [change.nvme(1)] },
  virtioScsi: { none: [], ...attachments('virtio', [change.virtioScsi(8)], '0', '7'), few: [change.virtioScsi(2)] },
  floppy: { none: [], yes: [change.floppy] },
  usb: {
    none: [],
    ohci: [modify('--usb-ohci', 'on')],
    ehci: [modify('--usb-ohci', 'on', '--usb-ehci', 'on')],
    xhci: [modify('--usb-xhci', 'on')],
  },
  tablet: { no: [], yes: [modify('--usb-ohci', 'on', '--mouse', 'usbtablet')] },
  usbDisk: { no: [], yes: [modify('--usb-ohci', 'on'), controller('usb', 'USB'), ...disk('usb', '0')] },
  audio: { none: [], ...Object.fromEntries(['hda', 'ac97', 'sb16'].map((kind) => [kind, [change.audio(kind)]])) },
  tpm: { none: [], '1.2': [modify('--tpm-type', '1.2')], '2.0': [modify('--tpm-type', '2.0')] },
  iommu: { none: [], intel: [modify('--iommu', 'intel')], amd: [modify('--iommu', 'amd')] },
  clock: flagOf('--rtc-use-utc', 'on'),
  clipboard: flagOf('--clipboard-mode', 'bidirectional'),
  vrde: flagOf('--vrde', 'on'),
};

/** The more a machine has, the less often do others differ where it is first seen: most features stay as they are. */
export function randomMachine(random: Random): RandomMachine {
  const machine: RandomMachine = {};
  for (const [feature, choices] of Object.entries(FEATURES)) {
    const names = Object.keys(choices);
    machine[feature] = random.below(3) === 0 ? random.pick(names) : names[0];
  }
  return fitting(machine);
}

/** One to three features differ. */
export function alteredMachine(random: Random, machine: RandomMachine): RandomMachine {
  const altered = { ...machine };
  for (let n = 1 + random.below(3); n > 0; n--) {
    const feature = random.pick(Object.keys(FEATURES));
    altered[feature] = random.pick(Object.keys(FEATURES[feature]).filter((choice) => choice !== machine[feature]));
  }
  return fitting(altered);
}

/** What VirtualBox does not start, or what takes it minutes. */
function fitting(machine: RandomMachine): RandomMachine {
  const fits = { ...machine };
  if (fits.chipset === 'piix3') fits.iommu = 'none';
  if (fits.screen === 'none') fits.monitors = '1';
  return fits;
}

/** What a machine has beside what every machine has. */
export function nameOf(machine: RandomMachine): string {
  const own = Object.entries(machine).filter(([feature, choice]) => choice !== Object.keys(FEATURES[feature])[0]);
  return own.map(([feature, choice]) => `${feature} ${choice}`).join(', ');
}

export function changesOf(machine: RandomMachine): change.Change[] {
  return Object.entries(machine).flatMap(([feature, choice]) => FEATURES[feature][choice]);
}
