import { PAGE_SIZE } from '../../formats/sizes.ts';
import { NIL_PAGE_ID, offsetInChunk, PAGE_INDEX_MASK } from '../../src/gmm/page-id.ts';
import type { RomRange } from '../../src/pgm/devices/rom-range.ts';
import type { GuestMemory } from '../../src/pgm/guest-memory.ts';
import { PageState, PageType } from '../../src/pgm/pages/page-states.ts';
import type { RamRange } from '../../src/pgm/pages/ram-range.ts';
import type { PageRegion } from '../machine/description.ts';
import { PageSpace } from '../machine/page-space.ts';
import { MigrationError } from '../wire/migration-error.ts';

/** Pages of one region, by their number in it. */
interface RegionPages {
  region: PageRegion;
  /** Page id of the host's memory; 0 where there is none. */
  idOf(page: number): number;
  /** Allocates memory for a page, if it has none of its own; afterwards it has a page id. */
  makeWritable(page: number): void;
  clear(page: number): void;
}

/**
 * The memory of a machine as numbered pages: RAM, then ROMs with their shadows, then MMIO2, in the order of its saved
 * states.
 */
export class MachinePages {
  readonly space: PageSpace;
  readonly #memory: GuestMemory;
  readonly #parts: RegionPages[];
  /** The part used last, with its range of page numbers, as most accesses are to neighbours. */
  #part: RegionPages;
  #start = 0;
  #end = 0;
  /** The region that `numberOf` found last, and the number of its first page. */
  #named: PageRegion;
  #namedStart = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#parts = partsOf(memory);
    this.space = new PageSpace(this.#parts.map(({ region }) => region));
    this.#part = this.#parts[0];
    this.#named = this.#part.region;
  }

  readPages(pages: Uint32Array, count: number, target: Uint8Array, at: number, held: Uint8Array): number {
    const { backing } = this.#memory.pages;
    let copied = 0;
    for (let i = 0; i < count; ) {
      const first = this.#idOf(pages[i]);
      held[i++] = first === NIL_PAGE_ID ? 0 : 1;
      if (first === NIL_PAGE_ID) continue;
      let next = first + 1;
      // Pages without memory do not end a run.
      for (; i < count && isInChunk(next); i++) {
        const id = this.#idOf(pages[i]);
        if (id !== next && id !== NIL_PAGE_ID) break;
        held[i] = id === next ? 1 : 0;
        if (id === next) next++;
      }
      const from = offsetInChunk(first);
      const size = (next - first) * PAGE_SIZE;
      target.set(backing.chunkBytes(first).subarray(from, from + size), at + copied * PAGE_SIZE);
      copied += next - first;
    }
    return copied;
  }

  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void {
    const { backing } = this.#memory.pages;
    for (let i = 0; i < count; ) {
      const start = i;
      const first = this.#writableId(pages[i++]);
      let next = first + 1;
      for (; i < count && isInChunk(next); i++, next++) if (this.#writableId(pages[i]) !== next) break;
      backing.chunkBytes(first).set(bytes.subarray(at + start * PAGE_SIZE, at + i * PAGE_SIZE), offsetInChunk(first));
    }
  }

  zeroPage(page: number): void {
    const part = this.#partOf(page);
    if (part.idOf(page - this.#start) !== NIL_PAGE_ID) part.clear(page - this.#start);
  }

  /** The number of the page that a record of a saved state names; −1 if the machine has no such page. */
  numberOf(kind: PageRegion['kind'], id: number, page: number): number {
    if (!isNamed(this.#named, kind, id, page)) {
      const index = this.space.regions.findIndex((region) => isNamed(region, kind, id, page));
      if (index < 0) return -1;
      this.#named = this.space.regions[index];
      this.#namedStart = this.space.startOf(index);
    }
    return this.#namedStart + page - (kind === 'ram' ? this.#named.firstFrame : 0);
  }

  #idOf(page: number): number {
    const part = this.#partOf(page);
    return part.idOf(page - this.#start);
  }

  #writableId(page: number): number {
    const part = this.#partOf(page);
    part.makeWritable(page - this.#start);
    return part.idOf(page - this.#start);
  }

  #partOf(page: number): RegionPages {
    if (page >= this.#start && page < this.#end) return this.#part;
    const index = this.space.regionOf(page);
    this.#part = this.#parts[index];
    this.#start = this.space.startOf(index);
    this.#end = this.space.startOf(index + 1);
    return this.#part;
  }
}

/** Whether a page id is not the first of its chunk, so that it may be contiguous with the page before. */
function isInChunk(id: number): boolean {
  return (id & PAGE_INDEX_MASK) !== 0;
}

function isNamed(region: PageRegion, kind: PageRegion['kind'], id: number, page: number): boolean {
  if (region.kind !== kind) return false;
  return kind === 'ram' ? page >= region.firstFrame && page < region.firstFrame + region.pages : region.id === id;
}

function partsOf(memory: GuestMemory): RegionPages[] {
  const parts: RegionPages[] = [];
  for (const range of memory.ranges) if (range.kind === 'ram') parts.push(ramPart(memory, range, parts.length));
  for (const [i, rom] of memory.roms.all.entries()) {
    parts.push(romPart(memory, rom, i + 1));
    if (rom.isShadowed) parts.push(shadowPart(memory, rom, i + 1));
  }
  for (const [i, { description, pages, pageId, address }] of memory.mmio2.all.entries()) {
    const region = {
      kind: 'mmio2' as const,
      name: description,
      id: i + 1,
      firstFrame: (address ?? 0) / PAGE_SIZE,
      pages,
    };
    parts.push({
      region: { ...region, firstFrame: 0 },
      idOf: (page) => pageId[page],
      makeWritable: () => {},
      clear: (page) => clearPage(memory, pageId[page]),
    });
  }
  return parts;
}

function ramPart({ pages }: GuestMemory, range: RamRange, id: number): RegionPages {
  const { pageId, type, state } = range;
  return {
    region: { kind: 'ram', name: range.description, id, firstFrame: range.start / PAGE_SIZE, pages: range.pages },
    // Pages that a ROM covers belong to the ROM.
    idOf: (page) => (type[page] === PageType.RAM ? pageId[page] : NIL_PAGE_ID),
    makeWritable: (page) => {
      if (state[page] === PageState.ALLOCATED && type[page] === PageType.RAM) return;
      if (type[page] !== PageType.RAM)
        throw new MigrationError('misplaced-page', `Cannot write page ${page} of ${range.description}: it is not RAM`);
      if (state[page] === PageState.BALLOONED) {
        pages.apply('deflate', range, page);
        // Gives freed pages back first, since a machine at its limit gets no page otherwise.
        pages.flush();
      }
      pages.apply('make-writable', range, page);
    },
    clear: (page) => {
      pages.apply('free', range, page);
      pages.flush();
    },
  };
}

function romPart(memory: GuestMemory, rom: RomRange, id: number): RegionPages {
  return {
    region: { kind: 'rom', name: rom.description, id, firstFrame: rom.start / PAGE_SIZE, pages: rom.pages },
    idOf: (page) => rom.virginId[page],
    makeWritable: () => {},
    clear: (page) => clearPage(memory, rom.virginId[page]),
  };
}

function shadowPart({ roms }: GuestMemory, rom: RomRange, id: number): RegionPages {
  return {
    region: { kind: 'rom-shadow', name: rom.description, id, firstFrame: rom.start / PAGE_SIZE, pages: rom.pages },
    idOf: (page) => rom.shadowId(page),
    makeWritable: (page) => void roms.shadowChunk(rom, page),
    clear: (page) => roms.dropShadow(rom, page),
  };
}

function clearPage({ pages }: GuestMemory, id: number): void {
  const at = offsetInChunk(id);
  pages.backing.chunkBytes(id).fill(0, at, at + PAGE_SIZE);
}
