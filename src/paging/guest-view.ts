import { readU32 } from '../../formats/binary/little-endian.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import type { AddressSpaceMemory } from './address-space.ts';

const NOTHING = 0xffffffff;

/** Reads 4 bytes of a guest's page table, at a multiple of 4, as a page walk does: handlers are not called. */
export function readEntry(memory: GuestMemory, gcPhys: GuestPhys): number {
  const range = memory.ranges.find(gcPhys);
  if (range === undefined) return NOTHING;
  const page = range.pageOf(gcPhys);
  const id = range.pageId[page];
  if (id === 0) return range.type[page] === PageType.MMIO ? NOTHING : 0;
  const chunk = memory.pages.backing.chunkBytes(id);
  const at = offsetInChunk(id) + (gcPhys % PAGE_SIZE);
  return readU32(chunk, at);
}

/** A machine's memory as page walks of one CPU see it: all addresses pass the CPU's A20 gate. */
export class GuestView implements AddressSpaceMemory {
  /** The guest memory under the view. */
  readonly memory: GuestMemory;
  /** The CPU whose A20 gate applies. */
  readonly cpu: number;

  /** @param memory guest memory; handlers don't see tables being read through the view */
  constructor(memory: GuestMemory, cpu = 0) {
    this.memory = memory;
    this.cpu = cpu;
  }

  /** The address on the bus, after the A20 gate. */
  physical(gcPhys: GuestPhys): GuestPhys {
    return this.memory.a20.pass(this.cpu, gcPhys);
  }

  holdsTables(gcPhys: GuestPhys): boolean {
    const at = this.physical(gcPhys);
    const range = this.memory.ranges.find(at);
    if (range === undefined) return false;
    const page = range.pageOf(at);
    return range.type[page] !== PageType.MMIO && range.state[page] !== PageState.BALLOONED;
  }

  read(gcPhys: GuestPhys, target: Uint8Array): void {
    this.memory.read(gcPhys, target, this.cpu);
  }

  write(gcPhys: GuestPhys, source: Uint8Array): void {
    this.memory.write(gcPhys, source, this.cpu);
  }

  readU32(gcPhys: GuestPhys): number {
    return readEntry(this.memory, this.physical(gcPhys));
  }

  /**
   * Writes a table's entry, to set accessed and dirty bits. Dirty tracking notices the write; handlers are not called.
   * Writes to ROM are ignored.
   */
  writeU32(gcPhys: GuestPhys, value: number): void {
    const address = this.physical(gcPhys);
    const range = this.memory.ranges.find(address);
    if (range === undefined) return;
    const page = range.pageOf(address);
    if (range.type[page] !== PageType.RAM && range.type[page] !== PageType.MMIO2) return;
    const chunk = this.memory.pages.writableChunk(range, page);
    const at = offsetInChunk(range.pageId[page]) + (address % PAGE_SIZE);
    for (let i = 0; i < 4; i++) chunk[at + i] = value >>> (8 * i);
  }
}
