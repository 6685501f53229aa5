import type { Random } from '../../../../formats/testing/random.ts';
import * as change from './machine-changes.ts';

/** A choice by name, for each of the features below. */
export type RandomMachine = Record<string, string>;

const { ahci, attach, card, controller, disk, drive, modify, uart } = change;
type Choices = Record<string, readonly change.Change[]>;

/** Choices of what ports have: nothing, a disk, a drive, two disks. */
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

/** Choices that each are one value of an option of `VBoxManage modifyvm`. */
function valuesOf(option: string, ...values: string[]): Choices {
  return Object.fromEntries(values.map((value) => [value, [modify(option, value)]]));
}

/** A disk that may be pulled out of a machine that runs. */
function hotDisk(to: string, at: string): change.Change[] {
  const [made, attached] = disk(to, at);
  return [made, [...attached, '--hotpluggable', 'on']];
}

/** Sets extra data below `VBoxInternal`, past all other settings. */
const extra = (name: string, value: string): change.Change => ['setextradata', '@', `VBoxInternal/${name}`, value];

function cardIn(slot: number): Choices {
  // Two cards on the ISA bus would be at the same port.
  const kinds = [
    ...(slot === 1 ? ['Am79C960'] : []),
    'Am79C973',
    'Am79C970A',
    '82540EM',
    '82543GC',
    '82545EM',
    'virtio',
  ];
  return { none: [], ...Object.fromEntries(kinds.map((kind) => [kind, [card(kind, slot)]])) };
}

function screens(): Choices {
  const kinds = ['vboxvga', 'vmsvga', 'vboxsvga'].flatMap((kind) =>
    [8, 16, 32].map((vram) => [`${kind}-${vram}`, [change.graphics(kind, vram)]] as const),
  );
  return { none: [], ...Object.fromEntries(kinds) };
}

const GUESTS = [
  'Other_64',
  'Windows10_64',
  'Windows11_64',
  'WindowsXP',
  'Windows98',
  'DOS',
  'OS2Warp45',
  'Debian_64',
  'Ubuntu24_LTS_64',
  'Linux24',
  'MacOS1013_64',
  'FreeBSD_64',
  'OpenBSD_64',
  'Solaris11_64',
  'QNX',
  'Haiku',
];

const FEATURES: Readonly<Record<string, Choices>> = {
  chipset: { piix3: [], ich9: [modify('--chipset', 'ich9')] },
  cpus: {
    '1': [],
    '2': [modify('--cpus', '2', '--ioapic', 'on')],
    '3': [modify('--cpus', '3', '--ioapic', 'on')],
    plugged: [modify('--cpus', '2', '--ioapic', 'on', '--cpu-hotplug', 'on')],
  },
  ram: valuesOf('--memory', '4', '8', '16', '4000'),
  firmware: { bios: [], efi: [modify('--firmware', 'efi64', '--memory', '64')] },
  ioapic: flagOf('--ioapic', 'on'),
  x2apic: flagOf('--x2apic', 'on'),
  acpi: flagOf('--acpi', 'on'),
  hpet: flagOf('--hpet', 'on'),
  noLongMode: flagOf('--long-mode', 'off'),
  noPae: flagOf('--pae', 'off'),
  paravirtualisation: { none: [], ...valuesOf('--paravirtprovider', 'default', 'legacy', 'minimal', 'hyperv', 'kvm') },
  guest: valuesOf('--os-type', ...GUESTS),
  screen: screens(),
  monitors: valuesOf('--monitorcount', '1', '2', '4'),
  card1: cardIn(1),
  card2: cardIn(2),
  card3: cardIn(3),
  card4: cardIn(4),
  card8: cardIn(8),
  cable: flagOf('--cable-connected1', 'off', '--mac-address1', '0800270000AB'),
  serial1: {
    none: [],
    usual: [uart(1, '0x3f8', '4')],
    elsewhere: [uart(1, '0x3e8', '4')],
    '16450': [uart(1, '0x3f8', '4', '--uart-type1', '16450')],
    '16750': [uart(1, '0x3f8', '4', '--uart-type1', '16750')],
  },
  serial2: { none: [], usual: [uart(2, '0x2f8', '3')], elsewhere: [uart(2, '0x2e8', '5')] },
  serial3: { none: [], usual: [uart(3, '0x3e8', '4')] },
  serial4: { none: [], usual: [uart(4, '0x2e8', '3')], elsewhere: [uart(4, '0x2e8', '9')] },
  ide: {
    none: [],
    ...attachments('ide', [change.ide('PIIX4')], '0:0', '1:1'),
    ich6: [change.ide('ICH6')],
    piix3: [change.ide('PIIX3')],
    'disk-drive': [change.ide('PIIX4'), ...disk('ide', '0:1'), drive('ide', '1:0')],
  },
  sata: {
    none: [],
    ...attachments('sata', [ahci(4)], '0', '3'),
    few: [ahci(1)],
    many: [ahci(30)],
    hot: [ahci(4), ...hotDisk('sata', '0')],
    'hot-second': [ahci(4), ...disk('sata', '0'), ...hotDisk('sata', '3')],
    'disk-drive': [ahci(4), ...disk('sata', '0'), drive('sata', '3')],
  },
  secondSata: { none: [], yes: [ahci(2, 'more'), ...disk('more', '1')] },
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
  floppy: {
    none: [],
    yes: [change.floppy],
    drive: [change.floppy, attach('floppy', '0', 'fdd', 'emptydrive')],
    image: [change.floppy, attach('floppy', '0', 'fdd', '/vm/img/long.img')],
    drives: [change.floppy, attach('floppy', '0', 'fdd', 'emptydrive'), attach('floppy', '0:1', 'fdd', 'emptydrive')],
  },
  usb: {
    none: [],
    ohci: [modify('--usb-ohci', 'on')],
    ehci: [modify('--usb-ohci', 'on', '--usb-ehci', 'on')],
    xhci: [modify('--usb-xhci', 'on')],
    both: [modify('--usb-ohci', 'on', '--usb-xhci', 'on')],
  },
  mouse: {
    ps2: [],
    tablet: [modify('--usb-ohci', 'on', '--mouse', 'usbtablet')],
    usb: [modify('--usb-ohci', 'on', '--mouse', 'usb')],
    touch: [modify('--usb-ohci', 'on', '--mouse', 'usbmultitouch')],
    pad: [modify('--usb-xhci', 'on', '--mouse', 'usbmtscreenpluspad')],
  },
  keyboard: { ps2: [], usb: [modify('--usb-ohci', 'on', '--keyboard', 'usb')] },
  usbDisk: { no: [], yes: [modify('--usb-ohci', 'on'), controller('usb', 'USB'), ...disk('usb', '0')] },
  usbFilter: { no: [], yes: [['usbfilter', 'add', '0', '--target', '@', '--name', 'any', '--vendorid', '1234']] },
  cardReader: { no: [], yes: [modify('--usb-ohci', 'on', '--usb-card-reader', 'on')] },
  audio: { none: [], ...Object.fromEntries(['hda', 'ac97', 'sb16'].map((kind) => [kind, [change.audio(kind)]])) },
  tpm: { none: [], '1.2': [modify('--tpm-type', '1.2')], '2.0': [modify('--tpm-type', '2.0')] },
  iommu: { none: [], intel: [modify('--iommu', 'intel')], amd: [modify('--iommu', 'amd')] },
  clock: flagOf('--rtc-use-utc', 'on'),
  clipboard: flagOf('--clipboard-mode', 'bidirectional'),
  folder: { none: [], yes: [['sharedfolder', 'add', '@', '--name', 'one', '--hostpath', '/tmp']] },
  vrde: flagOf('--vrde', 'on'),
  recording: flagOf('--recording', 'on'),
  extraData: {
    none: [],
    dmi: [extra('Devices/pcbios/0/Config/DmiSystemVendor', 'other')],
    exclusive: [extra('HM/Exclusive', '0')],
    strict: [extra('CPUM/StrictCpuIdChecks', '0')],
  },
};

/**
 * Draws a machine in which most features are plain: of many special ones the loader would see only the first that
 * differs.
 */
export function randomMachine(random: Random): RandomMachine {
  const machine: RandomMachine = {};
  for (const [feature, choices] of Object.entries(FEATURES)) {
    const names = Object.keys(choices);
    machine[feature] = random.below(4) === 0 ? random.pick(names) : names[0];
  }
  return fitting(machine);
}

/** A machine in which one to three features differ. */
export function alteredMachine(random: Random, machine: RandomMachine): RandomMachine {
  const altered = { ...machine };
  for (let n = 1 + random.below(3); n > 0; n--) {
    const feature = random.pick(Object.keys(FEATURES));
    altered[feature] = random.pick(Object.keys(FEATURES[feature]).filter((choice) => choice !== machine[feature]));
  }
  return fitting(altered);
}

/** Takes out of a machine what VirtualBox does not start, or starts only in minutes. */
function fitting(machine: RandomMachine): RandomMachine {
  const fits = { ...machine };
  if (fits.chipset === 'piix3') fits.iommu = 'none';
  if (fits.screen === 'none') fits.monitors = '1';
  // One controller of AHCI is all that PIIX3 has.
  if (fits.chipset === 'piix3' && fits.sata !== 'none') fits.secondSata = 'none';
  return fits;
}

/** Names a machine by the features that make it differ from the plainest one. */
export function nameOf(machine: RandomMachine): string {
  const own = Object.entries(machine).filter(([feature, choice]) => choice !== Object.keys(FEATURES[feature])[0]);
  return own.map(([feature, choice]) => `${feature} ${choice}`).join(', ');
}

export function changesOf(machine: RandomMachine): change.Change[] {
  return Object.entries(machine).flatMap(([feature, choice]) => FEATURES[feature][choice]);
}
