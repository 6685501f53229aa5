import { hex } from '../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { readPage, writePage } from './access/phys-access.ts';
import type { GuestMemory } from './guest-memory.ts';
import { PageType } from './pages/page-states.ts';
import { pgmError } from './pages/pgm-errors.ts';

// Accesses for debuggers and loaders, which call no handlers and fail where there is no memory
// (PGMPhysSimpleReadGCPhys, PGMPhysSimpleWriteGCPhys). Writes mark pages dirty as all others do.

/**
 * Fills `target` from `gcPhys` on. After an error, the pages before the first that can't be read have been copied.
 * @throws UsageError VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS, VERR_PGM_PHYS_PAGE_RESERVED for MMIO
 */
export function readSimple(memory: GuestMemory, gcPhys: GuestPhys, target: Uint8Array): void {
  for (let done = 0; done < target.length; ) {
    const at = gcPhys + done;
    const range = memory.ranges.get(at);
    const page = range.pageOf(at);
    if (range.type[page] === PageType.MMIO)
      throw pgmError('VERR_PGM_PHYS_PAGE_RESERVED', `Cannot read ${hex(at)}: there are device registers`, {
        gcPhys: at,
      });
    const piece = target.subarray(done, done + PAGE_SIZE - (at % PAGE_SIZE));
    readPage(memory.pages, range, page, at % PAGE_SIZE, piece);
    done += piece.length;
  }
}

/**
 * Writes all of `source`. After an error, the pages before the first that can't be written have been written.
 * @throws UsageError VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS, VERR_PGM_PHYS_PAGE_RESERVED, VERR_PGM_PHYS_PAGE_BALLOONED;
 * EnvironmentError VERR_EM_NO_MEMORY
 */
export function writeSimple(memory: GuestMemory, gcPhys: GuestPhys, source: Uint8Array): void {
  memory.expectWritable(gcPhys);
  for (let done = 0; done < source.length; ) {
    const at = gcPhys + done;
    const range = memory.ranges.get(at);
    const piece = source.subarray(done, done + PAGE_SIZE - (at % PAGE_SIZE));
    writePage(memory.pages, range, range.pageOf(at), at % PAGE_SIZE, piece);
    done += piece.length;
  }
}
