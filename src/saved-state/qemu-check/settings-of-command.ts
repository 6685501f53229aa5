import { statSync } from 'node:fs';
import { MIB } from '../../../formats/sizes.ts';
import type { CommandLine } from './command-words.ts';
import { devicesOfCommand } from './devices-of-command.ts';
import { bytesOf, GivenOptions, type Properties, propertiesOf } from './given-options.ts';
import { apicsOf, type GuestSettings, type MemorySettings, type Topology } from './guest-settings.ts';

/**
 * Options that do not change the contents of a state, or are read elsewhere: names, sockets, displays, logs, backends
 * of devices.
 */
const WITHOUT_EFFECT = new Set(
  `name S display nodefaults no-user-config no-reboot no-shutdown qmp qmp-pretty monitor mon chardev blockdev
   pidfile daemonize incoming uuid boot rtc sandbox runas chroot D d trace msg L k full-screen smbios fw_cfg
   append kernel initrd dtb overcommit icount audiodev gdb s loadvm snapshot nographic no-quit win2k-hack seed
   mem-path mem-prealloc vnc spice action compat option-rom serial parallel vga nic net netdev device object m smp
   machine M cpu bios drive hda hdb hdc hdd cdrom fda fdb usb usbdevice no-acpi no-hpet accel enable-kvm fsdev g
   enable-sync-profile preconfig only-migratable add-fd plugin perfmap jitdump h help version semihosting
   id iscsi loadstate`.split(/\s+/),
);

/** Options that set a property of the machine; the last one that names a property counts. */
const SHORT_FOR: Readonly<Record<string, readonly [property: string, setting: string]>> = {
  'no-acpi': ['acpi', 'off'],
  'no-hpet': ['hpet', 'off'],
  usb: ['usb', 'on'],
  usbdevice: ['usb', 'on'],
  'enable-kvm': ['accel', 'kvm'],
};

/** Default RAM of pc machines. */
const DEFAULT_MEMORY = 128 * MIB;

/** Settings of the machine that a command line starts. @throws UsageError `bad-command-line` */
export function settingsOfCommand({ options }: CommandLine, name: string): GuestSettings {
  return new Reading(new GivenOptions(options), name).settings();
}

class Reading {
  readonly #options: GivenOptions;
  readonly #name: string;
  readonly #unknown: string[] = [];

  constructor(options: GivenOptions, name: string) {
    this.#options = options;
    this.#name = name;
  }

  settings(): GuestSettings {
    for (const { name, value = '' } of this.#options.all)
      if (!WITHOUT_EFFECT.has(name)) this.#unknown.push(`-${name} ${value}`.trim());
    const machine = this.#machine();
    // Proxmox appends its own version, which its QEMU removes.
    const type = machine.get('type')?.replace(/\+pve\d+$/, '');
    const model = this.#options.last('cpu');
    const firmware = this.#firmware(machine);
    return {
      name: this.#name,
      machineType: type,
      machine,
      ram: this.#ram(machine),
      firmware,
      apics: this.#apics(),
      cpuModel: model,
      devices: devicesOfCommand(this.#options),
      unknown: this.#unknown,
    };
  }

  /** Properties from -machine, -M, and options that set one of them. */
  #machine(): Properties {
    const machine: Properties = new Map();
    for (const { name, value = '' } of this.#options.all) {
      if (name === 'machine' || name === 'M')
        for (const [key, text] of propertiesOf(value, 'type')) machine.set(key, text);
      if (name === 'accel') machine.set('accel', propertiesOf(value, 'accel').get('accel') ?? '');
      const [property, setting] = SHORT_FOR[name] ?? [];
      if (property !== undefined) machine.set(property, setting ?? '');
    }
    return machine;
  }

  #ram(machine: Properties): MemorySettings[] {
    const objects = this.#options.properties('object', 'qom-type');
    const backends = objects.filter((object) => object.get('qom-type')?.startsWith('memory-backend-'));
    const blockOf = (id: string): MemorySettings => {
      const backend = backends.find((object) => object.get('id') === id);
      const size = backend?.get('size');
      return { name: id, size: size === undefined ? undefined : bytesOf(size, 1) };
    };
    const nodes = this.#options.properties('numa', 'kind');
    const ofNodes = nodes.flatMap((node) => node.get('memdev') ?? []);
    const own = machine.get('memory-backend');
    if (ofNodes.length > 0) return ofNodes.map(blockOf);
    if (nodes.length > 0) this.#unknown.push('-numa');
    const size = this.#memorySize();
    return [{ ...(own === undefined ? { name: 'pc.ram' } : blockOf(own)), size }];
  }

  #memorySize(): number {
    const text = propertiesOf(this.#options.last('m') ?? '', 'size').get('size');
    const size = text === undefined ? DEFAULT_MEMORY : bytesOf(text, MIB);
    return Math.ceil(size / 8192) * 8192;
  }

  #firmware(machine: Properties): MemorySettings[] | undefined {
    const flash = this.#options.properties('drive', 'file').filter((drive) => drive.get('if') === 'pflash');
    if (flash.length > 0)
      return flash.map((drive, i) => ({ name: `system.flash${drive.get('unit') ?? i}`, ...sizeOf(drive.get('file')) }));
    if (machine.has('pflash0')) return [{ name: 'system.flash0' }, { name: 'system.flash1' }];
    const bios = this.#options.last('bios') ?? machine.get('firmware');
    return bios === undefined ? undefined : [{ name: 'pc.bios', ...sizeOf(bios) }];
  }

  #apics(): number[] {
    const smp = propertiesOf(this.#options.last('smp') ?? '', 'cpus');
    const topology: Partial<Topology> = {};
    for (const key of ['cpus', 'sockets', 'dies', 'cores', 'threads'] as const)
      if (smp.has(key)) topology[key] = bytesOf(smp.get(key) ?? '', 1);
    for (const key of ['clusters', 'modules', 'books', 'drawers'])
      if (smp.has(key) && smp.get(key) !== '1') this.#unknown.push(`-smp ${key}`);
    if (smp.has('maxcpus') && topology.cores === undefined) topology.cores = bytesOf(smp.get('maxcpus') ?? '', 1);
    const { sockets = 1, dies = 1, cores = 1, threads = 1 } = topology;
    return apicsOf({ cpus: sockets * dies * cores * threads, ...topology });
  }
}

/** Size of a file, if this host has it. */
function sizeOf(path: string | undefined): { size?: number } {
  const size = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
  return size === undefined ? {} : { size };
}
