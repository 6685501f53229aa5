import { entryOf } from '../../../formats/entry-of.ts';
import { sb16Config } from '../../../formats/units/audio/sb16.ts';
import { serialConfig } from '../../../formats/units/chipset/serial.ts';
import { tpmConfig } from '../../../formats/units/chipset/tpm.ts';
import type { DeviceConfig } from '../../../formats/units/codec/device-config.ts';
import { isaConfig } from '../../../formats/units/codec/device-config.ts';
import type { PdmDevice } from '../../../formats/units/machine/pdm.ts';
import { networkCardConfig } from '../../../formats/units/network/network-cards.ts';
import { ahciConfig } from '../../../formats/units/storage/ahci.ts';
import { nvmeConfig } from '../../../formats/units/storage/nvme.ts';
import { ideConfig } from '../../../formats/units/storage/piix3ide.ts';
import { SCSI_DEVICES, scsiConfig } from '../../../formats/units/storage/scsi.ts';
import { virtioScsiConfig } from '../../../formats/units/storage/virtio-scsi.ts';
import * as names from './device-names.ts';
import { children, type Element, flag, number, oneOf, onlyChild, textOf } from './settings-xml.ts';

/** Devices that settings attach to a machine, with their configurations by `name/instance`. */
export interface AttachedDevices {
  devices: PdmDevice[];
  /** Devices on USB that have a unit. */
  usbDevices: PdmDevice[];
  configs: Map<string, DeviceConfig>;
}

export function attachedDevices(hardware: Element): AttachedDevices {
  const list = new DeviceList();
  addStorage(list, onlyChild(hardware, 'StorageControllers'));
  for (const { enabled, type, slot } of children(onlyChild(hardware, 'Network'), 'Adapter')) {
    const model = textOf(type, names.DEFAULT_NETWORK);
    if (flag(enabled, false))
      list.add(entryOf(names.NETWORK, model) ?? model, networkCardConfig(model), number(slot, 0));
  }
  for (const { type } of children(onlyChild(onlyChild(hardware, 'USB'), 'Controllers'), 'Controller'))
    list.add(entryOf(names.USB, oneOf(type, Object.keys(names.USB), '')));
  const { enabled, controller } = onlyChild(hardware, 'AudioAdapter');
  const audio = entryOf(names.AUDIO, oneOf(controller, Object.keys(names.AUDIO), names.DEFAULT_AUDIO));
  if (flag(enabled, false)) list.add(audio, audio === names.AUDIO.SB16 ? sb16Config() : undefined);
  addPorts(list, hardware);
  const tpmType = textOf(onlyChild(hardware, 'TrustedPlatformModule').type, 'None');
  const tpm = /^v(\d)_(\d)$/.exec(tpmType);
  if (tpm) list.add('tpm', tpmConfig(`${tpm[1]}.${tpm[2]}`));
  else if (tpmType !== 'None') list.add('tpm');
  return list;
}

class DeviceList implements AttachedDevices {
  readonly devices: PdmDevice[] = [];
  readonly usbDevices: PdmDevice[] = [];
  readonly configs = new Map<string, DeviceConfig>();
  readonly #count = new Map<string, number>();

  /**
   * @param name undefined for an element that is no device of its own @param instance absent: the next one of its name
   */
  add(name: string | undefined, config?: DeviceConfig, instance?: number): void {
    if (name === undefined) return;
    const next = this.#count.get(name) ?? 0;
    this.#count.set(name, next + 1);
    this.devices.push({ name, instance: instance ?? next });
    if (config) this.configs.set(`${name}/${instance ?? next}`, config);
  }
}

function addStorage(list: DeviceList, controllers: Element): void {
  for (const controller of children(controllers, 'StorageController')) {
    const type = textOf(controller.type, '?');
    const instance = controller.Instance === undefined ? undefined : number(controller.Instance, 0);
    if (type !== names.STORAGE_ON_USB) {
      list.add(entryOf(names.STORAGE, type) ?? type, storageConfig(type, controller), instance);
      continue;
    }
    const ports = children(controller, 'AttachedDevice').map(({ port }) => number(port, 0));
    list.usbDevices.push(...ports.map((port) => ({ name: names.USB_STORAGE_UNIT, instance: port })));
  }
}

/** Ports of a controller whose settings do not tell. */
const DEFAULT_PORTS = 2;

/** Ports, with attached disks and drives; a drive counts even without a medium. */
function storageConfig(type: string, controller: Element): DeviceConfig | undefined {
  const attached = children(controller, 'AttachedDevice').map(({ port, device, hotpluggable }) => {
    return { port: number(port, 0), device: number(device, 0), hotPluggable: flag(hotpluggable, false) };
  });
  const ports = number(controller.PortCount, DEFAULT_PORTS);
  const taken = new Set(attached.map(({ port }) => port));
  switch (entryOf(names.STORAGE, type)) {
    case 'ahci':
      return ahciConfig(ports, new Map(attached.map(({ port, hotPluggable }) => [port, hotPluggable])));
    case 'piix3ide':
      return ideConfig(type, new Set(attached.map(({ port, device }) => 2 * port + device)));
    case 'lsilogicsas':
      return scsiConfig(ports, taken);
    case 'lsilogicscsi':
    case 'buslogic':
      return scsiConfig(SCSI_DEVICES, taken);
    case 'nvme':
      return nvmeConfig(ports, taken);
    case 'virtio-scsi':
      return virtioScsiConfig(ports, taken.size);
    default:
      return undefined;
  }
}

function addPorts(list: DeviceList, hardware: Element): void {
  for (const { enabled, slot, IOAddress, IOBase, IRQ, uartType } of children(onlyChild(hardware, 'UART'), 'Port')) {
    const instance = number(slot, 0);
    const { port, irq } = names.SERIAL_PORTS[instance] ?? names.SERIAL_PORTS[0];
    if (flag(enabled, false))
      list.add(
        'serial',
        serialConfig(number(IRQ, irq), number(IOAddress ?? IOBase, port), textOf(uartType, names.DEFAULT_UART)),
        instance,
      );
  }
  for (const { enabled, slot, IOAddress, IOBase, IRQ } of children(onlyChild(hardware, 'LPT'), 'Port')) {
    const instance = number(slot, 0);
    const { port, irq } = names.PARALLEL_PORTS[instance] ?? names.PARALLEL_PORTS[0];
    if (flag(enabled, false))
      list.add('parallel', isaConfig(number(IRQ, irq), number(IOAddress ?? IOBase, port)), instance);
  }
}
