/** Numbers that look random, the same ones for a seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 0x9e3779b1) >>> 0 || 1;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    this.#state >>>= 0;
    return this.#state % limit;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}

/** A command line by its parts. */
export interface RandomMachine {
  type: string;
  properties: readonly string[];
  ram: string;
  smp: string;
  others: readonly (readonly string[])[];
  devices: readonly (readonly string[])[];
  hasDefaults: boolean;
}

export function wordsOfMachine(machine: RandomMachine): string[] {
  const { type, properties, ram, smp, others, devices, hasDefaults } = machine;
  return [
    ...(hasDefaults ? [] : ['-nodefaults']),
    '-machine',
    [type, ...properties].join(','),
    '-m',
    ram,
    '-smp',
    smp,
    ...others.flat(),
    ...devices.flat(),
  ];
}

const TYPES = ['pc-i440fx-7.2', 'pc-q35-7.2', 'pc-i440fx-6.2', 'pc-q35-5.2', 'pc-i440fx-4.2', 'pc-q35-6.1'];
const PROPERTIES = [
  'acpi=off',
  'hpet=off',
  'usb=on',
  'vmport=off',
  'smbus=off',
  'sata=off',
  'i8042=off',
  'pit=off',
  'smm=off',
  'nvdimm=on',
];
const RAMS = ['16', '64', '128M', '65536k', '48', '1G'];
const SMPS = ['1', '2', '3', '4', 'cpus=2,sockets=2', '6,sockets=2,cores=3,threads=1', '2,maxcpus=4'];
const OTHERS: readonly (readonly string[])[] = [
  ['-vga', 'std'],
  ['-vga', 'cirrus'],
  ['-vga', 'none'],
  ['-serial', 'null'],
  ['-serial', 'null', '-serial', 'null'],
  ['-parallel', 'null'],
  ['-nic', 'user'],
  ['-nic', 'user,model=rtl8139'],
  ['-net', 'nic,model=pcnet', '-net', 'user'],
  ['-netdev', 'user,id=unused'],
  ['-nic', 'none'],
  ['-usb'],
  ['-cpu', 'qemu64,-apic'],
  ['-cpu', 'max'],
  ['-drive', 'if=virtio,file=null-co://,format=raw'],
  ['-drive', 'file=null-co://,format=raw'],
  ['-name', 'a', '-rtc', 'base=utc'],
];
const DEVICES: readonly (readonly string[])[] = [
  ['-device', 'e1000'],
  ['-device', 'e1000-82545em'],
  ['-device', 'e1000e'],
  ['-device', 'rtl8139,romfile='],
  ['-device', 'pcnet,addr=9'],
  ['-device', 'virtio-net-pci'],
  ['-device', 'virtio-net-pci,disable-modern=on'],
  ['-device', 'virtio-balloon-pci'],
  ['-device', 'virtio-rng-pci'],
  ['-device', 'virtio-serial-pci'],
  ['-device', 'virtio-scsi-pci,id=scsi'],
  ['-device', 'virtio-keyboard-pci'],
  ['-device', 'VGA,vgamem_mb=32'],
  ['-device', 'secondary-vga'],
  ['-device', 'bochs-display'],
  ['-device', 'intel-hda', '-audiodev', 'none,id=hda', '-device', 'hda-duplex,audiodev=hda'],
  ['-audiodev', 'none,id=ac97', '-device', 'AC97,audiodev=ac97'],
  ['-audiodev', 'none,id=es', '-device', 'ES1370,audiodev=es,addr=0x0a.0'],
  ['-device', 'qemu-xhci,id=xhci'],
  ['-device', 'nec-usb-xhci'],
  ['-device', 'piix3-usb-uhci'],
  ['-device', 'usb-ehci'],
  ['-device', 'qemu-xhci,id=usb', '-device', 'usb-tablet,bus=usb.0'],
  ['-device', 'qemu-xhci,id=usb', '-device', 'usb-kbd,bus=usb.0,port=2', '-device', 'usb-mouse,bus=usb.0'],
  ['-device', 'isa-serial'],
  ['-chardev', 'null,id=lpt', '-device', 'isa-parallel,chardev=lpt'],
  ['-device', 'pci-serial'],
  ['-device', 'i6300esb'],
  ['-device', 'ib700'],
  ['-device', 'pvpanic'],
  ['-device', 'vmcoreinfo'],
  ['-device', 'vmgenid'],
  ['-device', 'ich9-ahci'],
  ['-device', 'lsi53c895a'],
  ['-device', 'megasas'],
  ['-device', 'pci-bridge,id=bridge,chassis_nr=1', '-device', 'e1000,bus=bridge,addr=3'],
  ['-device', 'ioh3420,id=behind,chassis=1', '-device', 'virtio-net-pci,bus=behind'],
  ['-device', 'pcie-root-port,id=root,chassis=1', '-device', 'virtio-balloon-pci,bus=root'],
];

export function drawMachine(random: Random): RandomMachine {
  const some = <T>(list: readonly T[], most: number) =>
    Array.from({ length: random.below(most + 1) }, () => random.pick(list));
  return {
    type: random.pick(TYPES),
    properties: [...new Set(some(PROPERTIES, 2))],
    ram: random.pick(RAMS),
    smp: random.pick(SMPS),
    others: [...new Set(some(OTHERS, 2))],
    devices: [...new Set(some(DEVICES, 3))],
    hasDefaults: random.below(3) === 0,
  };
}

/** The machine with one change. */
export function mutate(random: Random, machine: RandomMachine): RandomMachine {
  const { devices, others, properties } = machine;
  const without = <T>(list: readonly T[]) => {
    const at = random.below(list.length + 1);
    return list.filter((_, i) => i !== at);
  };
  switch (random.below(9)) {
    case 0:
      return { ...machine, type: random.pick(TYPES) };
    case 1:
      return { ...machine, ram: random.pick(RAMS) };
    case 2:
      return { ...machine, smp: random.pick(SMPS) };
    case 3:
      return { ...machine, devices: without(devices) };
    case 4:
      return { ...machine, devices: [...new Set([...devices, random.pick(DEVICES)])] };
    case 5:
      return { ...machine, devices: [...devices].reverse() };
    case 6:
      return { ...machine, others: without(others) };
    case 7:
      return { ...machine, others: [...new Set([...others, random.pick(OTHERS)])] };
    default:
      return { ...machine, properties: [...new Set([...without(properties), random.pick(PROPERTIES)])] };
  }
}
