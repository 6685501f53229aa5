import { children, type Element, flag, onlyChild, textOf } from './settings-xml.ts';

// Translates settings of older releases to today's, as 7.2.22 did with such files
// (test-vectors/machines/old-settings.json).

/** Versions of settings since which these parts have today's form: VirtualBox 3.0, 3.2, 5.1. */
const VERSIONS = { attachments: 7, drives: 9, defaults: 16 } as const;
const IDE_CHIPS = ['PIIX3', 'PIIX4', 'ICH6'];
/** Network card of settings that name no model. */
const OLD_NETWORK = 'Am79C970A';
/** Place of the only DVD drive. */
const DVD = { port: '1', device: '0' } as const;

/** Minor number of the version of settings, 20 for `1.20-linux`. */
export function settingsVersion(root: Element): number {
  const minor = /^1\.(\d+)/.exec(textOf(root.version, ''))?.[1];
  return minor === undefined ? Number.POSITIVE_INFINITY : Number(minor);
}

/** @param own a machine, or one of its snapshots */
export function inTodaysForm(own: Element, version: number): Element {
  const hardware = onlyChild(own, 'Hardware');
  const display = onlyChild(hardware, 'Display');
  return {
    ...own,
    Hardware: {
      ...hardware,
      ...(version < VERSIONS.defaults ? olderDefaults(hardware) : {}),
      Display: { ...display, monitorCount: display.monitorCount ?? display.MonitorCount },
      UART: ports(hardware, 'UART', 'Uart'),
      LPT: ports(hardware, 'LPT', 'Lpt'),
      USB: { Controllers: { Controller: usbControllers(hardware) } },
      StorageControllers: { StorageController: storageControllers(own, hardware, version) },
    },
  };
}

function olderDefaults(hardware: Element): Element {
  const adapters = children(onlyChild(hardware, 'Network'), 'Adapter');
  return {
    Paravirt: { provider: 'Legacy', ...onlyChild(hardware, 'Paravirt') },
    AudioAdapter: { enabled: 'true', ...onlyChild(hardware, 'AudioAdapter') },
    Network: { Adapter: adapters.map((adapter) => ({ type: OLD_NETWORK, ...adapter })) },
  };
}

/** Ports of a kind; up to 1.9, VirtualBox 3.1, their elements had other capital letters. */
function ports(hardware: Element, name: string, oldName: string): Element {
  return { Port: [...children(onlyChild(hardware, name), 'Port'), ...children(onlyChild(hardware, oldName), 'Port')] };
}

/** Controllers of USB. Since 4.3 each has an element; before, attributes told of the only one. */
function usbControllers(hardware: Element): Element[] {
  const today = children(onlyChild(onlyChild(hardware, 'USB'), 'Controllers'), 'Controller');
  const { enabled, enabledEhci } = onlyChild(hardware, 'USBController');
  if (!flag(enabled, false)) return today;
  return [...today, { type: 'OHCI' }, ...(flag(enabledEhci, false) ? [{ type: 'EHCI' }] : [])];
}

function storageControllers(own: Element, hardware: Element, version: number): Element[] {
  const controllers = [own, hardware].flatMap((place) =>
    children(onlyChild(place, 'StorageControllers'), 'StorageController'),
  );
  if (version < VERSIONS.attachments) controllers.push(...controllersOfAttachments(own, hardware));
  return version < VERSIONS.drives ? withDrives(controllers, hardware) : controllers;
}

/**
 * Controllers with their disks in settings before 3.0, where disks are elements beside the hardware, each with its bus.
 */
function controllersOfAttachments(own: Element, hardware: Element): Element[] {
  const disks = children(onlyChild(own, 'HardDiskAttachments'), 'HardDiskAttachment');
  const ide = onlyChild(onlyChild(hardware, 'BIOS'), 'IDEController').type;
  const sata = onlyChild(hardware, 'SATAController');
  const on = (bus: string) => disks.filter((disk) => textOf(disk.bus, 'IDE').toUpperCase() === bus);
  const devices = (bus: string) => on(bus).map(({ channel, device }) => ({ port: channel, device }));
  return [
    ...(ide === undefined ? [] : [{ type: ide, AttachedDevice: devices('IDE') }]),
    ...(flag(sata.enabled, false)
      ? [{ type: 'AHCI', PortCount: sata.PortCount, AttachedDevice: devices('SATA') }]
      : []),
  ];
}

/** Adds drives, which are elements of the hardware in settings before 3.2. */
function withDrives(controllers: readonly Element[], hardware: Element): Element[] {
  const ide = controllers.find(({ type }) => IDE_CHIPS.includes(textOf(type, '')));
  const attached = controllers.map((controller) =>
    controller === ide && 'DVDDrive' in hardware
      ? { ...controller, AttachedDevice: [...children(controller, 'AttachedDevice'), DVD] }
      : controller,
  );
  const hasFloppy = flag(onlyChild(hardware, 'FloppyDrive').enabled, false);
  return hasFloppy ? [...attached, { type: 'I82078' }] : attached;
}
