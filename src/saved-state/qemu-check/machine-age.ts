import { MIB } from '../../../formats/sizes.ts';

// Differences between today's machine types of pc and q35 and those from 2.0 on, as QEMU 7.2.22 and 10.0.2 make them.
// Versions are written as numbers: 2.12 is 212, 5.1 is 501.

/** Sections and blocks of memory of the machine by the version that has them first. */
const SINCE: Readonly<Record<string, number>> = {
  PCIHost: 501,
  pcspk: 208,
  globalstate: 204,
  '/rom@etc/acpi/rsdp': 202,
};
/** Graphics adapters whose memory has a name without a place up to this version. */
const GLOBAL_VIDEO = { types: ['VGA', 'cirrus-vga', 'vmware-svga', 'qxl-vga'], until: 212 };
/** Graphics adapters with less memory up to this version. */
const SMALL_VIDEO: { types: readonly string[]; until: number; size: number } = {
  types: ['VGA', 'cirrus-vga'],
  until: 201,
  size: 8 * MIB,
};
const CIRRUS_UNTIL = 201;
const E1000_UNTIL = 211;
const NEWEST = Number.POSITIVE_INFINITY;

/** Facts that depend on the version in the name of a machine type; one without a version counts as new. */
export class MachineAge {
  readonly #version: number;

  constructor(machineType: string) {
    const [, major, minor] = /-(\d+)\.(\d+)/.exec(machineType) ?? [];
    this.#version = major === undefined ? NEWEST : 100 * Number(major) + Number(minor);
  }

  /** @param name of a section or block of the machine itself */
  has(name: string): boolean {
    return this.#version >= (SINCE[name] ?? 0);
  }

  /** The graphics adapter where none is named. */
  get graphics(): string {
    return this.#version <= CIRRUS_UNTIL ? 'cirrus-vga' : 'VGA';
  }

  /** The network card where none is named. @param card of new machines */
  cardOf(card: string): string {
    return this.#version <= E1000_UNTIL ? 'e1000' : card;
  }

  /** Whether the memory of a graphics adapter has a name without its place. */
  hasGlobalVideo(type: string): boolean {
    return this.#version <= GLOBAL_VIDEO.until && GLOBAL_VIDEO.types.includes(type);
  }

  /** Bytes of the memory of a graphics adapter. @param size in new machines */
  videoOf(type: string, size: number): number {
    return this.#version <= SMALL_VIDEO.until && SMALL_VIDEO.types.includes(type) ? SMALL_VIDEO.size : size;
  }
}
