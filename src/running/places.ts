import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, RomProtection } from '../pgm/pages/page-states.ts';
import { addressInArea, type WorkloadArea } from './area.ts';

/** The places that a workload works on, by number. */
export interface Places {
  readonly count: number;
  /** Work of the guest before each step. */
  beforeStep?(step: number): void;
  /** Name and address of a place, for messages. */
  nameOf(place: number): { gcPhys?: GuestPhys; where: string };
  read(place: number, target: Uint8Array): void;
  write(place: number, source: Uint8Array): void;
  /** Gives the place's page back to the host, by the balloon. */
  free(place: number): void;
}

/** Pages of RAM. */
export class RamPlaces implements Places {
  readonly count: number;
  readonly #memory: GuestMemory;
  readonly #area: WorkloadArea;

  constructor(memory: GuestMemory, area: WorkloadArea) {
    this.#memory = memory;
    this.#area = area;
    this.count = area.lowPages + area.highPages;
  }

  nameOf(place: number): { gcPhys: GuestPhys; where: string } {
    return { gcPhys: addressInArea(this.#area, place), where: 'RAM' };
  }

  read(place: number, target: Uint8Array): void {
    this.#memory.read(addressInArea(this.#area, place), target);
  }

  write(place: number, source: Uint8Array): void {
    const gcPhys = addressInArea(this.#area, place);
    const range = this.#memory.ranges.get(gcPhys);
    const page = range.pageOf(gcPhys);
    if (range.state[page] === PageState.BALLOONED) this.#memory.pages.apply('deflate', range, page);
    this.#memory.write(gcPhys, source);
  }

  free(place: number): void {
    const gcPhys = addressInArea(this.#area, place);
    const range = this.#memory.ranges.get(gcPhys);
    this.#memory.pages.apply('balloon', range, range.pageOf(gcPhys));
    this.#memory.pages.flush();
  }
}

/** A page of a device: of MMIO2 by its host page, mapped or not; of the shadow of a ROM by its address. */
type DevicePage = { id: number; where: string } | { gcPhys: GuestPhys; where: string };

/**
 * Pages of device memory and of writable shadows of ROM, each followed by a page of RAM; all are written as devices
 * write.
 */
export class DevicePlaces implements Places {
  readonly count: number;
  readonly #memory: GuestMemory;
  readonly #area: WorkloadArea;
  readonly #devices: readonly DevicePage[];

  constructor(memory: GuestMemory, area: WorkloadArea) {
    this.#memory = memory;
    this.#area = area;
    this.#devices = devicePages(memory);
    this.count = 2 * Math.min(this.#devices.length, area.lowPages);
  }

  nameOf(place: number): { gcPhys?: GuestPhys; where: string } {
    const page = this.#pageOf(place);
    return 'gcPhys' in page ? page : { where: page.where };
  }

  read(place: number, target: Uint8Array): void {
    const page = this.#pageOf(place);
    if ('gcPhys' in page) this.#memory.read(page.gcPhys, target, 'device');
    else target.set(this.#chunk(page.id).subarray(offsetInChunk(page.id), offsetInChunk(page.id) + target.length));
  }

  write(place: number, source: Uint8Array): void {
    const page = this.#pageOf(place);
    if ('gcPhys' in page) this.#memory.write(page.gcPhys, source, 'device');
    else this.#chunk(page.id).set(source, offsetInChunk(page.id));
  }

  free(_place: number): void {}

  #pageOf(place: number): DevicePage {
    return place % 2 === 0
      ? this.#devices[place >>> 1]
      : { gcPhys: addressInArea(this.#area, place >>> 1), where: 'RAM, written by devices' };
  }

  #chunk(id: number): Uint8Array {
    return this.#memory.pages.backing.chunkBytes(id);
  }
}

/**
 * Shadow pages of ROM that take writes, and device memory, which devices write by pointers that no write monitor sees.
 */
function devicePages(memory: GuestMemory): DevicePage[] {
  const pages: DevicePage[] = [];
  for (const rom of memory.roms.all) {
    for (let page = 0; page < rom.pages; page++) {
      const takesWrites = rom.isShadowed && rom.protection[page] === RomProtection.READ_RAM_WRITE_RAM;
      if (takesWrites) pages.push({ gcPhys: rom.start + page * PAGE_SIZE, where: `shadow of ROM ${rom.description}` });
    }
  }
  for (const { description, pageId } of memory.mmio2.all)
    for (const id of pageId) pages.push({ id, where: `MMIO2 ${description}` });
  return pages;
}
