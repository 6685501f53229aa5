import type { GuestDevice } from './guest-settings.ts';

/** Slots of a PCI bus. */
const SLOTS = 32;
const FUNCTIONS = 8;

interface Bus {
  /** As names of sections have it: `0000:00:02.0`; empty for the first bus, whose devices begin with `0000:00:`. */
  path: string;
  taken: Set<number>;
  slots: number;
}

/** Places of devices on the PCI buses of a machine. QEMU gives a device without an address the first free slot. */
export class PciPlaces {
  readonly #buses = new Map<string, Bus>();
  readonly #first: Bus;

  /** @param taken slots that the machine itself uses */
  constructor(name: string, taken: readonly number[]) {
    this.#first = { path: '', taken: new Set(taken.map((slot) => slot * FUNCTIONS)), slots: SLOTS };
    this.#buses.set(name, this.#first);
  }

  /** Number of buses. */
  get count(): number {
    return new Set(this.#buses.values()).size;
  }

  /** Path of a device in the names of its sections; undefined if its bus is not known, or full. */
  place({ properties }: GuestDevice): string | undefined {
    const name = properties.get('bus');
    const bus = name === undefined ? this.#first : this.#buses.get(name);
    if (!bus) return undefined;
    const function_ = functionOf(properties.get('addr')) ?? freeOf(bus);
    if (function_ === undefined || function_ >= bus.slots * FUNCTIONS) return undefined;
    bus.taken.add(function_);
    return pathOf(bus, function_);
  }

  /** Adds a bridge with the bus behind it. @param isPort its bus has a single slot */
  addBus(id: string | undefined, path: string, isPort: boolean): void {
    const bus = { path, taken: new Set<number>(), slots: isPort ? 1 : SLOTS };
    this.#buses.set(id ?? `behind ${path}`, bus);
  }
}

/** Hexadecimal slot, and function: `5`, `0x1d.7`. */
export function functionOf(address: string | undefined): number | undefined {
  if (address === undefined) return undefined;
  const [, slot, number = '0'] = /^(?:0x)?([\da-f]{1,2})(?:\.(?:0x)?([0-7]))?$/i.exec(address) ?? [];
  return slot === undefined ? undefined : Number.parseInt(slot, 16) * FUNCTIONS + Number(number);
}

function freeOf({ taken, slots }: Bus): number | undefined {
  for (let slot = 0; slot < slots; slot++) if (!taken.has(slot * FUNCTIONS)) return slot * FUNCTIONS;
  return undefined;
}

function pathOf({ path }: Bus, place: number): string {
  const slot = Math.floor(place / FUNCTIONS)
    .toString(16)
    .padStart(2, '0');
  return `${path === '' ? '0000:00' : path}:${slot}.${place % FUNCTIONS}`;
}
