import { createHash } from 'node:crypto';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { NIL_PAGE_ID, offsetInChunk } from '../../gmm/page-id.ts';
import type { GuestMemory } from '../../pgm/guest-memory.ts';
import { PageState, PageType } from '../../pgm/pages/page-states.ts';

/**
 * A hash of all that a machine's memory holds: RAM and which of it is ballooned, ROMs with shadows and protections,
 * MMIO2.
 */
export function memoryDigest(memory: GuestMemory): string {
  const hash = createHash('sha256');
  const page = new Uint8Array(PAGE_SIZE);
  const addPage = (id: number) => {
    const at = offsetInChunk(id);
    hash.update(id === NIL_PAGE_ID ? page.fill(0) : memory.pages.backing.chunkBytes(id).subarray(at, at + PAGE_SIZE));
  };
  for (const range of memory.ranges) {
    if (range.kind !== 'ram') continue;
    for (let i = 0; i < range.pages; i++) {
      if (range.type[i] !== PageType.RAM) continue;
      hash.update(`${range.addressOf(i)} ${range.state[i] === PageState.BALLOONED}`);
      addPage(range.pageId[i]);
    }
  }
  for (const rom of memory.roms.all) {
    hash.update(rom.description).update(rom.protection);
    for (let i = 0; i < rom.pages; i++) {
      addPage(rom.virginId[i]);
      if (rom.isShadowed) addPage(rom.shadowId(i));
    }
  }
  for (const { description, pageId } of memory.mmio2.all) {
    hash.update(description);
    for (const id of pageId) addPage(id);
  }
  return hash.digest('hex');
}
