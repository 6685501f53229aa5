import type { GuestDevice } from './guest-settings.ts';

/** Places of disks and drives on SCSI. QEMU gives a device without an id the first free one. */
export class ScsiPlaces {
  /** Paths of controllers by their ids; an empty id stands for controllers without one. */
  readonly #controllers = new Map<string, string>();
  /** Taken places by the path of the controller: `channel:id:lun`. */
  readonly #taken = new Map<string, Set<string>>();

  /** @param path of the controller */
  addBus(id: string | undefined, path: string): void {
    this.#controllers.set(id ?? '', path);
  }

  /** Path of a device in the names of its sections; undefined if the bus is not known. */
  place({ properties }: GuestDevice): string | undefined {
    const [first] = this.#controllers.keys();
    const controller = properties.get('bus')?.replace(/\.0$/, '') ?? first;
    const path = controller === undefined ? undefined : this.#controllers.get(controller);
    if (path === undefined) return undefined;
    const taken = this.#taken.get(path) ?? new Set();
    this.#taken.set(path, taken);
    let id = Number(properties.get('scsi-id') ?? -1);
    const [channel, lun] = [properties.get('channel') ?? '0', properties.get('lun') ?? '0'];
    if (id < 0) for (id = 0; taken.has(`${channel}:${id}:${lun}`); ) id++;
    const place = `${channel}:${id}:${lun}`;
    taken.add(place);
    return `${path}/${place}`;
  }
}
