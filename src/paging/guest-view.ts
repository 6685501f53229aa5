import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import type { AddressSpaceMemory } from './address-space.ts';

/** A machine's memory as page walks see it. */
export class GuestView implements AddressSpaceMemory {
  /** The memory that is looked at. */
  readonly memory: GuestMemory;

  /** @param memory guest memory; handlers don't see accesses through the view */
  constructor(memory: GuestMemory) {
    this.memory = memory;
  }

  holdsTables(gcPhys: GuestPhys): boolean {
    const range = this.memory.ranges.find(gcPhys);
    if (range === undefined) return false;
    const page = range.pageOf(gcPhys);
    return range.type[page] !== PageType.MMIO && range.state[page] !== PageState.BALLOONED;
  }

  read(gcPhys: GuestPhys, target: Uint8Array): void {
    this.memory.read(gcPhys, target);
  }

  write(gcPhys: GuestPhys, source: Uint8Array): void {
    this.memory.write(gcPhys, source);
  }

  readU32(gcPhys: GuestPhys): number {
    return this.memory.readU32(gcPhys);
  }

  /**
   * Sets accessed and dirty bits: a write that no handler sees, since watching guest tables is not for those, but dirty
   * tracking does. Bits in ROM can't be set.
   */
  writeU32(gcPhys: GuestPhys, value: number): void {
    const range = this.memory.ranges.find(gcPhys);
    if (range === undefined) return;
    const page = range.pageOf(gcPhys);
    if (range.type[page] !== PageType.RAM && range.type[page] !== PageType.MMIO2) return;
    const chunk = this.memory.pages.writableChunk(range, page);
    const at = offsetInChunk(range.pageId[page]) + (gcPhys % PAGE_SIZE);
    for (let i = 0; i < 4; i++) chunk[at + i] = value >>> (8 * i);
  }
}
