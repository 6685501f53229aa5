import { FormatError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/units.ts';
import { NIL_PAGE_ID, offsetInChunk } from '../../src/gmm/page-id.ts';
import type { GuestMemory } from '../../src/pgm/guest-memory.ts';
import { PageState, PageType } from '../../src/pgm/page-states.ts';
import type { RamRange } from '../../src/pgm/ram-range.ts';
import type { RomRange } from '../../src/pgm/rom-range.ts';
import { type PageRegion, PageSpace } from '../page-space.ts';

/** Pages of one region, by their number in it. */
interface RegionPages {
  region: PageRegion;
  /** Page id of the host's memory; 0 where there is none. */
  idOf(page: number): number;
  /** The chunk that a page may be written in; its page id is known afterwards. */
  writableChunk(page: number): Uint8Array;
  clear(page: number): void;
}

/** The memory of a machine as numbered pages: RAM, then ROMs with their shadows, then MMIO2, in the order of its saved states. */
export class MachinePages {
  readonly space: PageSpace;
  readonly #memory: GuestMemory;
  readonly #parts: RegionPages[];
  /** Part that was used last, and the numbers of its pages: neighbours come one after the other. */
  #part: RegionPages;
  #start = 0;
  #end = 0;

  constructor(memory: GuestMemory) {
    this.#memory = memory;
    this.#parts = partsOf(memory);
    this.space = new PageSpace(this.#parts.map(({ region }) => region));
    this.#part = this.#parts[0];
  }

  readPage(page: number, target: Uint8Array, at: number): boolean {
    const part = this.#partOf(page);
    const id = part.idOf(page - this.#start);
    if (id === NIL_PAGE_ID) return false;
    const from = offsetInChunk(id);
    target.set(this.#memory.pages.backing.chunkBytes(id).subarray(from, from + PAGE_SIZE), at);
    return true;
  }

  writePage(page: number, bytes: Uint8Array, at: number): void {
    const part = this.#partOf(page);
    const inPart = page - this.#start;
    part.writableChunk(inPart).set(bytes.subarray(at, at + PAGE_SIZE), offsetInChunk(part.idOf(inPart)));
  }

  zeroPage(page: number): void {
    const part = this.#partOf(page);
    if (part.idOf(page - this.#start) !== NIL_PAGE_ID) part.clear(page - this.#start);
  }

  /** The number of a page that a record of a saved state names; −1 where there is none. */
  numberOf(kind: PageRegion['kind'], id: number, page: number): number {
    for (const [i, { region }] of this.#parts.entries()) {
      const isIt = region.kind === kind && (kind === 'ram' ? page >= region.firstFrame && page < region.firstFrame + region.pages : region.id === id);
      if (isIt) return this.space.startOf(i) + page - (kind === 'ram' ? region.firstFrame : 0);
    }
    return -1;
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

function partsOf(memory: GuestMemory): RegionPages[] {
  const parts: RegionPages[] = [];
  for (const range of memory.ranges) if (range.kind === 'ram') parts.push(ramPart(memory, range, parts.length));
  for (const [i, rom] of memory.roms.all.entries()) {
    parts.push(romPart(memory, rom, i + 1));
    if (rom.isShadowed) parts.push(shadowPart(memory, rom, i + 1));
  }
  for (const [i, { description, pages, pageId, address }] of memory.mmio2.all.entries()) {
    const region = { kind: 'mmio2' as const, name: description, id: i + 1, firstFrame: (address ?? 0) / PAGE_SIZE, pages };
    const { backing } = memory.pages;
    parts.push({
      region: { ...region, firstFrame: 0 },
      idOf: (page) => pageId[page],
      writableChunk: (page) => backing.chunkBytes(pageId[page]),
      clear: (page) => clearPage(memory, pageId[page]),
    });
  }
  return parts;
}

function ramPart({ pages }: GuestMemory, range: RamRange, id: number): RegionPages {
  const { pageId, type, state } = range;
  return {
    region: { kind: 'ram', name: range.description, id, firstFrame: range.start / PAGE_SIZE, pages: range.pages },
    // Where a ROM lies over RAM, its pages are its own.
    idOf: (page) => (type[page] === PageType.RAM ? pageId[page] : NIL_PAGE_ID),
    writableChunk: (page) => {
      if (type[page] !== PageType.RAM) throw new FormatError('misplaced-page', `Cannot write page ${page} of ${range.description}: it is not RAM`);
      if (state[page] === PageState.BALLOONED) pages.apply('deflate', range, page);
      return pages.writableChunk(range, page);
    },
    clear: (page) => pages.apply('free', range, page),
  };
}

function romPart(memory: GuestMemory, rom: RomRange, id: number): RegionPages {
  return {
    region: { kind: 'rom', name: rom.description, id, firstFrame: rom.start / PAGE_SIZE, pages: rom.pages },
    idOf: (page) => rom.virginId[page],
    writableChunk: (page) => memory.roms.virginChunk(rom, page),
    clear: (page) => clearPage(memory, rom.virginId[page]),
  };
}

function shadowPart({ roms }: GuestMemory, rom: RomRange, id: number): RegionPages {
  return {
    region: { kind: 'rom-shadow', name: rom.description, id, firstFrame: rom.start / PAGE_SIZE, pages: rom.pages },
    idOf: (page) => rom.shadowId(page),
    writableChunk: (page) => roms.shadowChunk(rom, page),
    clear: (page) => roms.dropShadow(rom, page),
  };
}

function clearPage({ pages }: GuestMemory, id: number): void {
  const at = offsetInChunk(id);
  pages.backing.chunkBytes(id).fill(0, at, at + PAGE_SIZE);
}
