import type { GuestDevice } from './guest-settings.ts';

/** Places of devices on the USB of a machine. QEMU gives a device without a port the first free one. */
export class UsbPlaces {
  readonly #buses: { id: string | undefined; path: string; ports: number; taken: Set<string> }[] = [];

  /** @param path of the controller */
  addBus(id: string | undefined, path: string, ports: number): void {
    this.#buses.push({ id, path, ports, taken: new Set() });
  }

  /**
   * Path of a device in the names of its sections; undefined if the bus is not known, or QEMU would put a hub in
   * between.
   */
  place({ type, properties }: GuestDevice): string | undefined {
    const name = properties.get('bus');
    const bus =
      name === undefined ? this.#buses[0] : this.#buses.find(({ id }) => id !== undefined && name === `${id}.0`);
    if (!bus) return undefined;
    const port = properties.get('port') ?? freeOf(bus);
    if (port === undefined) return undefined;
    const left = bus.ports - [...bus.taken].filter((each) => !each.includes('.')).length;
    if (properties.get('port') === undefined && left === 1 && type !== 'usb-hub') return undefined;
    bus.taken.add(port);
    return `${bus.path}/${port}`;
  }
}

function freeOf({ ports, taken }: { ports: number; taken: ReadonlySet<string> }): string | undefined {
  for (let port = 1; port <= ports; port++) if (!taken.has(String(port))) return String(port);
  return undefined;
}
