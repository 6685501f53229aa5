import type { Cursor } from '../../binary/cursor.ts';
import { u32 } from '../../binary/kinds.ts';
import { type DeviceConfig, numberedPlaces, placesConfig } from '../codec/device-config.ts';
import { comparedRow, versions } from '../codec/unit-row.ts';
import { AHCI_PORTS, ahciCodec, ahciDevice, mediumText } from './ata-codecs.ts';

/** @param attached by port: whether the disk or drive there is hot-pluggable */
export function ahciConfig(ports: number, attached: ReadonlyMap<number, boolean>): DeviceConfig {
  const config: Record<string, number | string | boolean> = {
    [AHCI_PORT_COUNT]: ports,
    ...placesConfig(numberedPlaces('port', AHCI_PORTS), (i) => attached.has(i)),
  };
  for (const [i, hotPluggable] of attached) config[`hot-plug of port ${i}`] = hotPluggable;
  return config;
}

/** Configuration value that may be larger in the state than in the machine. */
export const AHCI_PORT_COUNT = 'number of ports';

function readConfig(cursor: Cursor): DeviceConfig {
  const count = u32.read(cursor);
  const attached = new Map<number, boolean>();
  for (let i = 0; i < AHCI_PORTS; i++) {
    const { attached: isAttached, hotPluggable } = ahciDevice.read(cursor);
    if (isAttached) attached.set(i, hotPluggable);
  }
  return ahciConfig(count, attached);
}

export const ahciRow = comparedRow('ahci', versions(9), readConfig, ahciCodec, ({ devices, port }) => ({
  media: devices.flatMap(({ attached, model }, i) =>
    attached ? [{ place: `port ${i}`, what: mediumText(port[i].atapi !== 0, model) }] : [],
  ),
}));
