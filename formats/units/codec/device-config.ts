import { hex } from '../../errors.ts';

/** Values that the loader of a unit compares with the machine's configuration, by name, in the loader's order. */
export type DeviceConfig = Readonly<Record<string, number | string | boolean>>;

const ATTACHED = 'attached';
const EMPTY = 'empty';

/** One entry per place for a disk or drive, such as `port 0`. */
export function placesConfig(names: readonly string[], isAttached: (place: number) => boolean): Record<string, string> {
  return Object.fromEntries(names.map((name, place) => [name, isAttached(place) ? ATTACHED : EMPTY]));
}

/** Values compared for a device on the ISA bus. */
export function isaConfig(interrupt: number, port: number) {
  return { interrupt, 'I/O port': hex(port) };
}

/** Names of places that are counted from 0. */
export function numberedPlaces(what: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${what} ${i}`);
}
