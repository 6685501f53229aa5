import { FormatError } from '../../../formats/errors.ts';
import { child, children, type Element, flag, number, parseSettings, textOf } from '../machine-facts/settings-xml.ts';
import { readDomain } from '../qemu/libvirt-domain.ts';
import { apicsOf, type GuestDevice, type GuestSettings, type MemorySettings } from './guest-settings.ts';

/** One kind of device in libvirt's settings. */
interface Row {
  /** QEMU's device types by libvirt's model; '' if no model is given. Null for a device without a section. */
  models: Readonly<Record<string, string | null>>;
  /** Reads the model from an element. Default: attribute `model`. */
  model?: (element: Element) => string;
}

const ofChild = (tag: string, attribute: string) => (element: Element) => textOf(child(element, tag)[attribute], '');
const ofOwn = (attribute: string) => (element: Element) => textOf(element[attribute], '');

const VIDEO = {
  vga: 'VGA',
  cirrus: 'cirrus-vga',
  qxl: 'qxl-vga',
  virtio: 'virtio-vga',
  vmvga: 'vmware-svga',
  bochs: 'bochs-display',
  none: null,
};
const CARDS = {
  virtio: 'virtio-net-pci',
  'virtio-transitional': 'virtio-net-pci-transitional',
  'virtio-non-transitional': 'virtio-net-pci-non-transitional',
};
const CONTROLLERS = {
  'pci/pcie-root-port': 'pcie-root-port',
  'pci/pci-bridge': 'pci-bridge',
  'pci/pcie-to-pci-bridge': 'pcie-pci-bridge',
  'pci/dmi-to-pci-bridge': 'i82801b11-bridge',
  'pci/pcie-switch-upstream-port': 'x3130-upstream',
  'pci/pcie-switch-downstream-port': 'xio3130-downstream',
  'pci/pci-root': null,
  'pci/pcie-root': null,
  'usb/piix3-uhci': 'piix3-usb-uhci',
  'usb/piix4-uhci': 'piix4-usb-uhci',
  'usb/ehci': 'usb-ehci',
  'usb/ich9-ehci1': 'ich9-usb-ehci1',
  'usb/ich9-uhci1': 'ich9-usb-uhci1',
  'usb/ich9-uhci2': 'ich9-usb-uhci2',
  'usb/ich9-uhci3': 'ich9-usb-uhci3',
  'usb/pci-ohci': 'pci-ohci',
  'usb/nec-xhci': 'nec-usb-xhci',
  'usb/qemu-xhci': 'qemu-xhci',
  'usb/none': null,
  'scsi/virtio-scsi': 'virtio-scsi-pci',
  'scsi/lsilogic': 'lsi53c895a',
  'virtio-serial/': 'virtio-serial-pci',
  'virtio-serial/virtio': 'virtio-serial-pci',
  'ide/': null,
  'ide/piix3': null,
  'ide/piix4': null,
  'fdc/': null,
  'ccid/': 'usb-ccid',
};

const ROWS: Readonly<Record<string, Row>> = {
  controller: { models: CONTROLLERS, model: ({ type, model }) => `${textOf(type, '')}/${textOf(model, '')}` },
  disk: {
    models: { virtio: 'virtio-blk-pci', scsi: 'scsi-hd', usb: 'usb-storage', ide: null, sata: null, fdc: null },
    model: ofChild('target', 'bus'),
  },
  interface: { models: CARDS, model: ofChild('model', 'type') },
  video: { models: VIDEO, model: ofChild('model', 'type') },
  input: {
    models: {
      'tablet/usb': 'usb-tablet',
      'mouse/usb': 'usb-mouse',
      'keyboard/usb': 'usb-kbd',
      'tablet/virtio': 'virtio-tablet-pci',
      'mouse/virtio': 'virtio-mouse-pci',
      'keyboard/virtio': 'virtio-keyboard-pci',
      'mouse/ps2': null,
      'keyboard/ps2': null,
    },
    model: ({ type, bus }) => `${textOf(type, '')}/${textOf(bus, '')}`,
  },
  sound: {
    models: {
      ich6: 'intel-hda',
      ich9: 'ich9-intel-hda',
      ac97: 'AC97',
      es1370: 'ES1370',
      sb16: 'sb16',
      usb: 'usb-audio',
    },
  },
  watchdog: { models: { i6300esb: 'i6300esb', ib700: 'ib700', itco: null } },
  memballoon: {
    models: {
      virtio: 'virtio-balloon-pci',
      'virtio-transitional': 'virtio-balloon-pci-transitional',
      'virtio-non-transitional': 'virtio-balloon-pci-non-transitional',
      none: null,
    },
  },
  rng: {
    models: {
      virtio: 'virtio-rng-pci',
      'virtio-transitional': 'virtio-rng-pci-transitional',
      'virtio-non-transitional': 'virtio-rng-pci-non-transitional',
    },
  },
  serial: {
    models: { '': 'isa-serial', 'isa-serial': 'isa-serial', 'pci-serial': 'pci-serial' },
    model: ofChild('target', 'type'),
  },
  parallel: { models: { '': 'isa-parallel' }, model: () => '' },
  panic: { models: { isa: 'pvpanic', pvpanic: 'pvpanic' } },
};

/** Elements that are not devices of the guest. */
const NO_DEVICES = new Set([
  'emulator',
  'graphics',
  'audio',
  'console',
  'channel',
  'hub',
  'lease',
  '#text',
  'redirfilter',
]);

/** Settings of a libvirt domain's machine. @throws FormatError `bad-settings` if the text is no domain */
export function settingsOfDomain(xml: string, name: string): GuestSettings {
  const facts = readDomain(xml);
  const domain = child(parseSettings(xml, name), 'domain');
  if (!facts || Object.keys(domain).length === 0)
    throw new FormatError('bad-settings', `Cannot read ${name}: it has no settings of a domain of libvirt`);
  const features = child(domain, 'features');
  const machine = new Map<string, string>();
  if (features.acpi === undefined) machine.set('acpi', 'off');
  for (const timer of children(child(domain, 'clock'), 'timer'))
    if (timer.name === 'hpet')
      machine.set('hpet', flag(timer.present === 'no' ? 'false' : 'true', true) ? 'on' : 'off');
  if (child(features, 'vmport').state === 'off') machine.set('vmport', 'off');
  if (textOf(domain.type, '') !== '') machine.set('accel', domain.type === 'kvm' ? 'kvm' : 'tcg');
  const unknown: string[] = [];
  const firmware = firmwareOf(child(domain, 'os'));
  return {
    name,
    machineType: facts.machine,
    machine,
    ram: memoryOf(domain, facts.memory),
    firmware,
    apics: apicsOfDomain(domain, facts.cpus ?? 1),
    devices: devicesOf(child(domain, 'devices'), unknown),
    unknown: [...unknown, ...(domain['qemu:commandline'] === undefined ? [] : ['the arguments of qemu:commandline'])],
  };
}

function memoryOf(domain: Element, memory: number | undefined): MemorySettings[] {
  const cells = children(child(child(domain, 'cpu'), 'numa'), 'cell');
  const whole = { name: 'pc.ram', size: memory };
  return cells.length === 0 ? [whole] : cells.map((_, i) => ({ name: `ram-node${i}` }));
}

function firmwareOf({ loader, firmware }: Element): MemorySettings[] | undefined {
  if (firmware === 'efi') return [{ name: 'system.flash0' }, { name: 'system.flash1' }];
  if (loader === undefined) return undefined;
  const isFlash = (loader as Element).type === 'pflash';
  return isFlash ? [{ name: 'system.flash0' }, { name: 'system.flash1' }] : [{ name: 'pc.bios' }];
}

function apicsOfDomain(domain: Element, cpus: number): number[] {
  const topology = child(child(domain, 'cpu'), 'topology');
  const current = number(child(domain, 'vcpu').current, cpus);
  const told = Object.keys(topology).length > 0;
  const [sockets, dies, cores, threads] = ['sockets', 'dies', 'cores', 'threads'].map((key) =>
    number(topology[key], 1),
  );
  // Without a topology libvirt makes each CPU a socket of its own.
  return apicsOf(told ? { cpus: current, sockets, dies, cores, threads } : { cpus: current, sockets: cpus, cores: 1 });
}

function devicesOf(devices: Element, unknown: string[]): GuestDevice[] {
  const made: GuestDevice[] = [];
  for (const tag of inOrder(Object.keys(devices)))
    for (const element of children(devices, tag)) {
      const row = ROWS[tag];
      const model = row ? (row.model ?? ofOwn('model'))(element) : '';
      const type =
        row?.models[model] ??
        (tag === 'interface' && model !== '' && row.models[model] === undefined ? model : undefined);
      if (row?.models[model] === null) continue;
      if (type === undefined) unknown.push(`<${tag}>${model === '' ? '' : ` ${model}`}`);
      else made.push({ type, properties: propertiesOf(tag, element) }, ...partsOf(tag, element));
    }
  return made;
}

/** Elements with controllers first, as these hold other devices. */
function inOrder(tags: readonly string[]): string[] {
  const kept = tags.filter((tag) => !NO_DEVICES.has(tag));
  return [...kept.filter((tag) => tag === 'controller'), ...kept.filter((tag) => tag !== 'controller')];
}

/** Devices without an element of their own that belong to another device. */
function partsOf(tag: string, element: Element): GuestDevice[] {
  const part = (type: string): GuestDevice => ({ type, properties: new Map() });
  if (tag === 'interface' && element.type === 'user') return [part('slirp')];
  if (tag === 'sound' && ['ich6', 'ich9'].includes(textOf(element.model, ''))) return [part('hda-duplex')];
  return [];
}

function propertiesOf(tag: string, element: Element): Map<string, string> {
  const { type, domain: _, ...address } = child(element, 'address');
  const get = (key: string) => textOf(address[key], '0');
  const properties = new Map<string, string>();
  if (tag === 'controller') properties.set('id', controllerId(element));
  if (type === 'pci') {
    const bus = number(get('bus'), 0);
    if (bus > 0) properties.set('bus', busName(bus));
    properties.set('addr', `${number(get('slot'), 0).toString(16)}.${number(get('function'), 0)}`);
  } else if (type === 'usb') {
    properties.set('bus', `usb${get('bus') === '0' ? '' : get('bus')}.0`);
    properties.set('port', get('port'));
  } else if (type === 'drive') {
    properties.set('bus', `scsi${get('controller')}.0`);
    properties.set('channel', get('bus'));
    properties.set('scsi-id', get('target'));
    properties.set('lun', get('unit'));
  } else if (type === undefined) properties.set('bus', 'not told');
  if (tag === 'serial' || tag === 'parallel') properties.delete('bus');
  if (tag === 'video' && child(element, 'model').type === 'vga')
    properties.set('vgamem_mb', String(number(child(element, 'model').vram, 16384) / 1024));
  return properties;
}

/** libvirt's id of a controller, which its devices use as their bus. */
function controllerId({ type, index }: Element): string {
  const at = textOf(index, '0');
  if (type === 'usb') return at === '0' ? 'usb' : `usb${at}`;
  return type === 'pci' ? busName(Number(at)) : `${textOf(type, '')}${at}`;
}

function busName(index: number): string {
  return `pci.${index}`;
}
