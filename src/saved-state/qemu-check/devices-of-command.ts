import { type GivenOptions, type Properties, propertiesOf } from './given-options.ts';
import type { GuestDevice } from './guest-settings.ts';

/** Type of the default network card, which depends on the machine type. */
export const DEFAULT_CARD = 'default-nic';
/** Type of the default graphics adapter. */
export const DEFAULT_GRAPHICS = 'default-vga';

const GRAPHICS: Readonly<Record<string, string>> = {
  std: 'VGA',
  cirrus: 'cirrus-vga',
  qxl: 'qxl-vga',
  vmware: 'vmware-svga',
  virtio: 'virtio-vga',
};
/** Graphics adapters: with one of these, QEMU adds no default one. */
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

/**
 * Devices of a command line, in the order in which QEMU makes them: those of the machine, then of `-usbdevice`, then of
 * `-device`, those in JSON last.
 */
export function devicesOfCommand(options: GivenOptions): GuestDevice[] {
  return new Devices(options).all();
}

class Devices {
  readonly #options: GivenOptions;

  constructor(options: GivenOptions) {
    this.#options = options;
  }

  all(): GuestDevice[] {
    const named = this.#options.values('device');
    const isJson = (value: string) => value.startsWith('{');
    const given = [...named.filter((value) => !isJson(value)), ...this.#virtioDrives(), ...named.filter(isJson)]
      .map((value) => propertiesOf(value, 'driver'))
      .map((properties) => ({
        type: MODELS[properties.get('driver') ?? ''] ?? properties.get('driver') ?? '',
        properties,
      }));
    for (const value of this.#options.values('global')) this.#global(value, given);
    const usb = this.#options.values('usbdevice').map((kind) => device(USB_KINDS[kind] ?? kind));
    return [...this.#graphics(given), ...this.#cards(), ...this.#ports(given), ...this.#network(), ...usb, ...given];
  }

  #virtioDrives(): string[] {
    const drives = this.#options.properties('drive', 'file');
    return drives.flatMap((drive) => (drive.get('if') === 'virtio' ? ['virtio-blk-pci'] : []));
  }

  #global(value: string, devices: { type: string; properties: Properties }[]): void {
    const [, driver, property, text] = /^([^.]+)\.([^=]+)=(.*)$/.exec(value) ?? [];
    if (driver === undefined || driver === 'migration') return;
    for (const { type, properties } of devices) if (type === driver) properties.set(property, text);
  }

  get #hasDefaults(): boolean {
    return !this.#options.has('nodefaults');
  }

  get #hasDefaultNetwork(): boolean {
    return this.#hasDefaults && !this.#options.has('net', 'nic', 'netdev');
  }

  #graphics(given: readonly GuestDevice[]): GuestDevice[] {
    const isDefault = this.#hasDefaults && !given.some(({ type }) => DISPLAYS.has(type));
    const wanted = this.#options.last('vga') ?? (isDefault ? DEFAULT_GRAPHICS : 'none');
    if (wanted === 'none') return [];
    return [device(GRAPHICS[wanted] ?? wanted)];
  }

  #ports(given: readonly GuestDevice[]): GuestDevice[] {
    const ports = (option: 'serial' | 'parallel', type: string) => {
      const values = this.#options.values(option);
      const isDefault = values.length === 0 && this.#hasDefaults && !given.some((each) => each.type === type);
      return (isDefault ? ['default'] : values).filter((value) => value !== 'none').map(() => device(type));
    };
    return [...ports('serial', 'isa-serial'), ...ports('parallel', 'isa-parallel')];
  }

  #nics(): Properties[] {
    return this.#options.properties('nic', 'type');
  }

  #cards(): GuestDevice[] {
    const old = this.#options.properties('net', 'type');
    const cards = [
      ...this.#nics().filter((nic) => nic.get('type') !== 'none'),
      ...old.filter((net) => net.get('type') === 'nic'),
    ];
    const models = this.#hasDefaultNetwork ? [undefined] : cards.map((nic) => nic.get('model'));
    return models.map((model) => (model === undefined ? device(DEFAULT_CARD) : device(MODELS[model] ?? model)));
  }

  /** User-mode networks, as each has a section, too. */
  #network(): GuestDevice[] {
    const kinds = [
      ...this.#nics(),
      ...this.#options.properties('netdev', 'type'),
      ...this.#options.properties('net', 'type'),
    ];
    const users = kinds.filter((kind) => kind.get('type') === 'user').length + (this.#hasDefaultNetwork ? 1 : 0);
    return Array.from({ length: users }, () => device('slirp'));
  }
}

function device(type: string): GuestDevice {
  return { type, properties: new Map() };
}
