import { statSync } from 'node:fs';
import { UsageError } from '../../../formats/errors.ts';
import { MIB } from '../../../formats/sizes.ts';
import { jsonOf } from '../../../formats/values/json-text.ts';
import { object } from '../../../formats/values/shape.ts';
import { type CommandLine, partsOf } from './command-words.ts';
import { apicsOf, type GuestDevice, type GuestSettings, type MemorySettings, type Topology } from './guest-settings.ts';

type Properties = Map<string, string>;

/** Options that change nothing of what a state holds: names, sockets, displays, logs, backends of devices. */
const WITHOUT_EFFECT = new Set(
  `name S display nodefaults no-user-config no-reboot no-shutdown qmp qmp-pretty monitor mon chardev blockdev pidfile daemonize
   incoming uuid boot rtc sandbox runas chroot D d trace msg L k full-screen smbios fw_cfg append kernel initrd dtb
   overcommit icount audiodev gdb s loadvm snapshot nographic no-quit win2k-hack seed mem-path mem-prealloc vnc spice
   action compat option-rom serial parallel vga nic net netdev device object m smp machine M cpu bios drive hda hdb hdc
   hdd cdrom fda fdb usb usbdevice no-acpi no-hpet accel enable-kvm fsdev g enable-sync-profile preconfig
   only-migratable add-fd set plugin perfmap jitdump h help version semihosting id iscsi loadstate`.split(/\s+/),
);

/** What a machine of pc's kind brings along where nothing else is said. */
const DEFAULT_MEMORY = 128 * MIB;

/** The machine that a command line makes. @throws UsageError `bad-command-line` */
export function settingsOfCommand({ options }: CommandLine, name: string): GuestSettings {
  return new Reading(options, name).settings();
}

class Reading {
  readonly #options: CommandLine['options'];
  readonly #name: string;
  readonly #unknown: string[] = [];

  constructor(options: CommandLine['options'], name: string) {
    this.#options = options;
    this.#name = name;
  }

  settings(): GuestSettings {
    for (const { name, value = '' } of this.#options)
      if (!WITHOUT_EFFECT.has(name)) this.#unknown.push(`-${name} ${value}`.trim());
    const machine = this.#machine();
    // Proxmox adds a version of its own, which its QEMU takes off.
    const type = machine.get('type')?.replace(/\+pve\d+$/, '');
    const model = this.#last('cpu');
    const firmware = this.#firmware(machine);
    return {
      name: this.#name,
      machineType: type,
      machine,
      ram: this.#ram(machine),
      firmware,
      apics: this.#apics(),
      cpuModel: model,
      devices: this.#devices(),
      unknown: this.#unknown,
    };
  }

  #values(name: string): string[] {
    return this.#options.flatMap((option) => (option.name === name ? [option.value ?? ''] : []));
  }

  #last(name: string): string | undefined {
    return this.#values(name).at(-1);
  }

  #has(...names: string[]): boolean {
    return this.#options.some(({ name }) => names.includes(name));
  }

  /** All of -machine, -M, and the options that stand for one of their properties. */
  #machine(): Properties {
    const machine: Properties = new Map();
    for (const { name, value = '' } of this.#options) {
      if (name === 'machine' || name === 'M')
        for (const [key, text] of propertiesOf(value, 'type')) machine.set(key, text);
      if (name === 'accel') machine.set('accel', propertiesOf(value, 'accel').get('accel') ?? '');
    }
    if (this.#has('no-acpi')) machine.set('acpi', 'off');
    if (this.#has('no-hpet')) machine.set('hpet', 'off');
    if (this.#has('usb', 'usbdevice')) machine.set('usb', 'on');
    if (this.#has('enable-kvm')) machine.set('accel', 'kvm');
    return machine;
  }

  #objects(): Properties[] {
    return this.#values('object').map((value) => propertiesOf(value, 'qom-type'));
  }

  #ram(machine: Properties): MemorySettings[] {
    const backends = this.#objects().filter((object) => object.get('qom-type')?.startsWith('memory-backend-'));
    const blockOf = (id: string): MemorySettings => {
      const backend = backends.find((object) => object.get('id') === id);
      const size = backend?.get('size');
      return { name: id, size: size === undefined ? undefined : bytesOf(size, 1) };
    };
    const nodes = this.#values('numa').map((value) => propertiesOf(value, 'kind'));
    const ofNodes = nodes.flatMap((node) => node.get('memdev') ?? []);
    const own = machine.get('memory-backend');
    if (ofNodes.length > 0) return ofNodes.map(blockOf);
    if (nodes.length > 0) this.#unknown.push('-numa');
    const size = this.#memorySize();
    return [{ ...(own === undefined ? { name: 'pc.ram' } : blockOf(own)), size }];
  }

  #memorySize(): number {
    const text = propertiesOf(this.#last('m') ?? '', 'size').get('size');
    const size = text === undefined ? DEFAULT_MEMORY : bytesOf(text, MIB);
    return Math.ceil(size / 8192) * 8192;
  }

  #firmware(machine: Properties): MemorySettings[] | undefined {
    const flash = this.#drives().filter((drive) => drive.get('if') === 'pflash');
    if (flash.length > 0)
      return flash.map((drive, i) => ({ name: `system.flash${drive.get('unit') ?? i}`, ...sizeOf(drive.get('file')) }));
    if (machine.has('pflash0')) return [{ name: 'system.flash0' }, { name: 'system.flash1' }];
    const bios = this.#last('bios') ?? machine.get('firmware');
    return bios === undefined ? undefined : [{ name: 'pc.bios', ...sizeOf(bios) }];
  }

  #apics(): number[] {
    const smp = propertiesOf(this.#last('smp') ?? '', 'cpus');
    const topology: Partial<Topology> = {};
    for (const key of ['cpus', 'sockets', 'dies', 'cores', 'threads'] as const)
      if (smp.has(key)) topology[key] = bytesOf(smp.get(key) ?? '', 1);
    for (const key of ['clusters', 'modules', 'books', 'drawers'])
      if (smp.has(key) && smp.get(key) !== '1') this.#unknown.push(`-smp ${key}`);
    if (smp.has('maxcpus') && topology.cores === undefined) topology.cores = bytesOf(smp.get('maxcpus') ?? '', 1);
    const { sockets = 1, dies = 1, cores = 1, threads = 1 } = topology;
    return apicsOf({ cpus: sockets * dies * cores * threads, ...topology });
  }

  #drives(): Properties[] {
    return this.#values('drive').map((value) => propertiesOf(value, 'file'));
  }

  /** In QEMU's order: what the machine itself has, then USB of the old kind, then `-device`, JSON ones last. */
  #devices(): GuestDevice[] {
    const named = this.#values('device');
    const isJson = (value: string) => value.startsWith('{');
    const given = [...named.filter((value) => !isJson(value)), ...this.#virtioDrives(), ...named.filter(isJson)]
      .map((value) => propertiesOf(value, 'driver'))
      .map((properties) => ({
        type: MODELS[properties.get('driver') ?? ''] ?? properties.get('driver') ?? '',
        properties,
      }));
    for (const value of this.#values('global')) this.#global(value, given);
    const usb = this.#values('usbdevice').map((kind) => device(USB_KINDS[kind] ?? kind));
    return [...this.#graphics(given), ...this.#cards(), ...this.#ports(given), ...this.#network(), ...usb, ...given];
  }

  #virtioDrives(): string[] {
    return this.#drives().flatMap((drive) => (drive.get('if') === 'virtio' ? ['virtio-blk-pci'] : []));
  }

  #global(value: string, devices: GuestDevice[]): void {
    const [, driver, property, text] = /^([^.]+)\.([^=]+)=(.*)$/.exec(value) ?? [];
    if (driver === undefined || driver === 'migration') return;
    for (const { type, properties } of devices) if (type === driver) (properties as Properties).set(property, text);
  }

  get #hasDefaults(): boolean {
    return !this.#has('nodefaults');
  }

  #graphics(given: readonly GuestDevice[]): GuestDevice[] {
    const wanted =
      this.#last('vga') ?? (this.#hasDefaults && !given.some(({ type }) => DISPLAYS.has(type)) ? 'std' : 'none');
    if (wanted === 'none') return [];
    return [device(GRAPHICS[wanted] ?? wanted)];
  }

  #ports(given: readonly GuestDevice[]): GuestDevice[] {
    const ports = (option: 'serial' | 'parallel', type: string) => {
      const values = this.#values(option);
      const isDefault = values.length === 0 && this.#hasDefaults && !given.some((each) => each.type === type);
      return (isDefault ? ['default'] : values).filter((value) => value !== 'none').map(() => device(type));
    };
    return [...ports('serial', 'isa-serial'), ...ports('parallel', 'isa-parallel')];
  }

  #nics(): Properties[] {
    return this.#values('nic').map((value) => propertiesOf(value, 'type'));
  }

  #cards(): GuestDevice[] {
    const old = this.#values('net').map((value) => propertiesOf(value, 'type'));
    const cards = [
      ...this.#nics().filter((nic) => nic.get('type') !== 'none'),
      ...old.filter((net) => net.get('type') === 'nic'),
    ];
    const isDefault = this.#hasDefaults && !this.#has('net', 'nic', 'netdev');
    const models = isDefault ? [undefined] : cards.map((nic) => nic.get('model'));
    return models.map((model) => (model === undefined ? device(DEFAULT_CARD) : device(MODELS[model] ?? model)));
  }

  /** Networks of QEMU's own have a section, too. */
  #network(): GuestDevice[] {
    const kinds = [
      ...this.#nics(),
      ...[...this.#values('netdev'), ...this.#values('net')].map((value) => propertiesOf(value, 'type')),
    ];
    const isDefault = this.#hasDefaults && !this.#has('net', 'nic', 'netdev');
    const users = kinds.filter((kind) => kind.get('type') === 'user').length + (isDefault ? 1 : 0);
    return Array.from({ length: users }, () => device('slirp'));
  }
}

/** Stands for the card that the machine type has by default. */
export const DEFAULT_CARD = 'default-nic';

const GRAPHICS: Readonly<Record<string, string>> = {
  std: 'VGA',
  cirrus: 'cirrus-vga',
  qxl: 'qxl-vga',
  vmware: 'vmware-svga',
  virtio: 'virtio-vga',
};
/** With one of them QEMU adds no graphics of its own. */
const DISPLAYS = new Set(
  'VGA isa-vga cirrus-vga isa-cirrus-vga vmware-svga qxl-vga virtio-vga virtio-vga-gl vhost-user-vga ati-vga'.split(
    ' ',
  ),
);
const MODELS: Readonly<Record<string, string>> = {
  virtio: 'virtio-net-pci',
  'virtio-net': 'virtio-net-pci',
  'virtio-blk': 'virtio-blk-pci',
  'virtio-scsi': 'virtio-scsi-pci',
  'virtio-serial': 'virtio-serial-pci',
  'virtio-balloon': 'virtio-balloon-pci',
  'virtio-rng': 'virtio-rng-pci',
  'virtio-gpu': 'virtio-gpu-pci',
  'virtio-keyboard': 'virtio-keyboard-pci',
  'virtio-mouse': 'virtio-mouse-pci',
  'virtio-tablet': 'virtio-tablet-pci',
  ahci: 'ich9-ahci',
  lsi: 'lsi53c895a',
};
const USB_KINDS: Readonly<Record<string, string>> = {
  tablet: 'usb-tablet',
  mouse: 'usb-mouse',
  keyboard: 'usb-kbd',
  'wacom-tablet': 'usb-wacom-tablet',
  braille: 'usb-braille',
};

function device(type: string): GuestDevice {
  return { type, properties: new Map() };
}

/** @param first the property that stands first without its name */
function propertiesOf(value: string, first: string): Properties {
  if (value === '') return new Map();
  if (value.startsWith('{')) return new Map(jsonProperties(value));
  const parts = partsOf(value).map(({ key, value: text }, i): [string, string] => [
    key === '' ? (i === 0 ? first : text) : key,
    key === '' && i > 0 ? '' : text,
  ]);
  return new Map(parts.filter(([key]) => key !== ''));
}

function jsonProperties(text: string): [string, string][] {
  const given = jsonOf(text, object);
  if (!given)
    throw new UsageError('bad-command-line', `Cannot read QEMU's arguments: ${text.slice(0, 60)} is not JSON`);
  return Object.entries(given).map(([key, value]) => [
    key,
    value === true ? 'on' : value === false ? 'off' : String(value),
  ]);
}

/** `1G`, `0x100000`, `512` of a unit. @throws UsageError */
function bytesOf(text: string, unit: number): number {
  const [, digits, suffix] = /^(0x[\da-f]+|[\d.]+)([bkmgtp]?)b?$/i.exec(text) ?? [];
  const size = Number(digits) * (suffix ? 1024 ** 'bkmgtp'.indexOf(suffix.toLowerCase()) : unit);
  if (Number.isSafeInteger(size)) return size;
  throw new UsageError(
    'bad-command-line',
    `Cannot read QEMU's arguments: ${JSON.stringify(text.slice(0, 60))} is no size`,
  );
}

/** Of a file that only the host of the command line may have. */
function sizeOf(path: string | undefined): { size?: number } {
  const size = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })?.size;
  return size === undefined ? {} : { size };
}
