import { parallelCodec } from '../../../formats/units/chipset/parallel.ts';
import { serialCodec, UART_TYPES } from '../../../formats/units/chipset/serial.ts';
import type { UnitCodec } from '../../../formats/units/codec/codec.ts';
import type { DeviceConfig } from '../../../formats/units/codec/device-config.ts';
import { APIC_MODES, apicCodec } from '../../../formats/units/cpu/apic.ts';
import { E1000_CHIPS, e1000Codec, PCNET_TYPES, pcnetCodec } from '../../../formats/units/network/codecs.ts';
import { AHCI_PORT_COUNT } from '../../../formats/units/storage/ahci.ts';
import { type Ahci, ahciCodec, type Ide, ideCodec } from '../../../formats/units/storage/ata-codecs.ts';
import { IDE_CHIPS, IDE_PLACES } from '../../../formats/units/storage/piix3ide.ts';
import { busLogicCodec, lsiLogicCodec } from '../../../formats/units/storage/scsi-codecs.ts';

// Puts values of settings into units, as far as loaders compare them. Values that settings do not tell stay as they
// were, and a later comparison reports them.

interface Part<T> {
  unit: string;
  codec: UnitCodec<T>;
  /** Changes `value` in place. */
  apply(value: T, config: DeviceConfig): void;
}

function part<T>(unit: string, codec: UnitCodec<T>, apply: Part<T>['apply']): Part<unknown> {
  return { unit, codec, apply } as Part<unknown>;
}

export const SETTINGS_PARTS: readonly Part<unknown>[] = [
  part('apic', apicCodec, (apic, config) => {
    apic.hasIoApic = config['I/O APIC'] === 'on';
    apic.mode = numberOf(APIC_MODES, config.mode) ?? apic.mode;
  }),
  part('serial', serialCodec, (serial, config) => {
    Object.assign(serial, { irq: Number(config.interrupt), port: Number(config['I/O port']) });
    serial.type = numberOf(UART_TYPES, config.type) ?? serial.type;
  }),
  part('parallel', parallelCodec, (parallel, config) => {
    Object.assign(parallel, { irq: Number(config.interrupt), port: Number(config['I/O port']) });
  }),
  part('e1000', e1000Codec, (card, { model }) => {
    card.chip = numberOf(E1000_CHIPS, model) ?? card.chip;
  }),
  part('pcnet', pcnetCodec, (card, { model }) => {
    card.type = numberOf(PCNET_TYPES, model) ?? card.type;
  }),
  part('piix3ide', ideCodec, applyIde),
  part('ahci', ahciCodec, applyAhci),
  part('lsilogicscsi', lsiLogicCodec, (own, config) => {
    own.attached = own.attached.map((was, i) => isAttached(config, `device ${i}`) ?? was);
  }),
  part('lsilogicsas', lsiLogicCodec, (own, config) => {
    own.attached = own.attached.map((was, i) => isAttached(config, `device ${i}`) ?? was);
  }),
  part('buslogic', busLogicCodec, (own, config) => {
    for (const [i, device] of own.devices.entries()) {
      const attached = isAttached(config, `device ${i}`) ?? device.attached;
      if (attached !== device.attached) own.devices[i] = { attached, requests: 0 };
    }
  }),
];

/** Drives can be removed, but not added, as settings do not have their state. */
function applyIde(ide: Ide, config: DeviceConfig): void {
  ide.chip = numberOf(IDE_CHIPS, config.chip) ?? ide.chip;
  const drives = IDE_PLACES.map((_, place) => ({ channel: place >> 1, drive: place & 1 }));
  const empty = drives.find(({ channel, drive }) => !ide.channels[channel].devices[drive].attached);
  if (!empty) return;
  for (const [place, { channel, drive }] of drives.entries()) {
    const { devices } = ide.channels[channel];
    if (!devices[drive].attached || isAttached(config, IDE_PLACES[place]) !== false) continue;
    devices[drive] = ide.channels[empty.channel].devices[empty.drive];
    ide.controllers[channel].drives[drive] = ide.controllers[empty.channel].drives[empty.drive];
  }
}

const PORTS_LESS_ONE = 0x1f;

/** Sets the ports as with IDE; a port that loses its disk gets the registers of another port without one. */
function applyAhci(ahci: Ahci, config: DeviceConfig): void {
  const ports = Number(config[AHCI_PORT_COUNT]);
  if (ports !== ahci.ports) {
    ahci.capabilities = ((ahci.capabilities & ~PORTS_LESS_ONE) | (ports - 1)) >>> 0;
    Object.assign(ahci, { ports, portsImplemented: 2 ** ports - 1 });
  }
  const empty = ahci.devices.findIndex(({ attached }) => !attached);
  for (const [i, device] of ahci.devices.entries()) {
    if (!device.attached) continue;
    const hotPluggable = config[`hot-plug of port ${i}`];
    if (typeof hotPluggable === 'boolean') ahci.devices[i] = { ...device, hotPluggable };
    if (empty < 0 || isAttached(config, `port ${i}`) !== false) continue;
    ahci.devices[i] = ahci.devices[empty];
    ahci.port[i] = ahci.port[empty];
  }
}

function isAttached(config: DeviceConfig, place: string): boolean | undefined {
  return config[place] === undefined ? undefined : config[place] === 'attached';
}

/** The unit's number for a name in settings. */
function numberOf(names: Readonly<Record<number, string>>, name: unknown): number | undefined {
  const found = Object.entries(names).find(([, own]) => own === name);
  return found && Number(found[0]);
}
