import { HostMemory } from '../../gmm/host-memory.ts';
import { GuestMemory } from '../guest-memory.ts';
import { HostBacking } from '../pages/host-backing.ts';
import { PageState, PageType, PdeType } from '../pages/page-states.ts';
import type { RamRange } from '../pages/ram-range.ts';
import { type MemoryConfig, ramStretches } from './memory-config.ts';

// The life of a machine's memory (guest-memory.md 12.2): set up, finalise when all ROM and devices are registered,
// reset; `GuestMemory.close` ends it.

/**
 * Makes memory as the configuration demands it, all zero.
 * @throws HostMemoryError where the host declines the reservation
 */
export function setUpMemory(config: MemoryConfig, host = new HostMemory(hostOptions(config))): GuestMemory {
  const memory = new GuestMemory(new HostBacking(host, config));
  try {
    for (const { start, end, description } of ramStretches(config)) memory.registerRam(start, end - start, description);
  } catch (error) {
    memory.pages.backing.close();
    throw error;
  }
  return memory;
}

function hostOptions({ maxRing3Chunks }: MemoryConfig): { maxMappedChunks?: number } {
  return maxRing3Chunks < 0xffff_ffff ? { maxMappedChunks: maxRing3Chunks } : {};
}

/**
 * To be called when ROM and devices are registered: allocates all RAM where that is configured. @throws
 * EnvironmentError VERR_EM_NO_MEMORY
 */
export function finaliseMemory(memory: GuestMemory, { ramPreAlloc }: Pick<MemoryConfig, 'ramPreAlloc'>): void {
  if (!ramPreAlloc) return;
  for (const range of memory.ranges) {
    for (let page = 0; page < range.pages; page++) {
      if (range.type[page] === PageType.RAM && range.state[page] === PageState.ZERO)
        memory.pages.apply('make-writable', range, page);
    }
  }
}

/**
 * Resets RAM, before the devices are reset: RAM becomes zero, aliases end. Device memory, its mappings and handlers
 * stay.
 */
export function resetRam(memory: GuestMemory, { ramPreAlloc }: Pick<MemoryConfig, 'ramPreAlloc'>): void {
  for (const { kind, start } of memory.handlers.list.all) if (kind === 'mmio') memory.handlers.reset(start);
  for (const range of memory.ranges) {
    for (let page = 0; page < range.pages; page++) {
      if (range.type[page] !== PageType.RAM) continue;
      memory.pages.apply(ramPreAlloc || keepsMemory(range, page) ? 'reset-preallocated' : 'reset', range, page);
    }
  }
  memory.pages.flush();
}

/** Whether a page keeps its memory: large pages stay in one piece, and devices keep pages that they have mapped. */
function keepsMemory(range: RamRange, page: number): boolean {
  return range.pdeType(page) === PdeType.LARGE || range.readLocks[page] > 0 || range.writeLocks[page] > 0;
}
