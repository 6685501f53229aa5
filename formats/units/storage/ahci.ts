import { bool, text, u32 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { type DeviceConfig, numberedPlaces, placesConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';

/** Ports that a unit has an entry for, whatever the controller has. */
export const AHCI_PORTS = 30;

const port = defineStruct('Port of an AHCI controller, ahci version 9', 'units-compared.md', {
  attached: { kind: bool, doc: 'a disk or drive is attached' },
  hotPluggable: { kind: bool, doc: 'it may be taken out while the machine runs' },
  serialNumber: { kind: text(64), doc: 'only logged' },
  firmware: { kind: text(64), doc: 'only logged' },
  model: { kind: text(128), doc: 'only logged' },
});

/** @param attached by port: whether the disk or drive there is hot-pluggable */
export function ahciConfig(ports: number, attached: ReadonlyMap<number, boolean>): DeviceConfig {
  const config: Record<string, number | string | boolean> = {
    [AHCI_PORT_COUNT]: ports,
    ...placesConfig(numberedPlaces('port', AHCI_PORTS), (i) => attached.has(i)),
  };
  for (const [i, hotPluggable] of attached) config[`hot-plug of port ${i}`] = hotPluggable;
  return config;
}

/** A state with more ports than the machine is taken. */
export const AHCI_PORT_COUNT = 'number of ports';

export const ahciRow = comparedRow('ahci', versions(9), (cursor) => {
  const count = u32.read(cursor);
  const attached = new Map<number, boolean>();
  for (let i = 0; i < AHCI_PORTS; i++) {
    const { attached: isAttached, hotPluggable } = port.read(cursor);
    if (isAttached) attached.set(i, hotPluggable);
  }
  return ahciConfig(count, attached);
});
