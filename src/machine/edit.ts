import { constants } from 'node:buffer';
import { hex, UsageError } from '../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { countWithin } from '../../formats/values/count-within.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { checkAddress } from '../pgm/pages/check-stretch.ts';
import { PageState, PageType, RomProtection } from '../pgm/pages/page-states.ts';
import { pgmError } from '../pgm/pages/pgm-errors.ts';

/** Guest-physical addresses, `[start, end)`. */
export interface AddressRange {
  /** First byte. */
  start: GuestPhys;
  /** Exclusive. */
  end: GuestPhys;
}

/** Bytes of guest memory, and the gaps in them. */
export interface Peeked {
  /** The bytes; 0xff where there is no memory, as a guest would read it. */
  bytes: Uint8Array;
  /** Stretches without memory. */
  unassigned: AddressRange[];
}

/**
 * Bytes of guest memory as a device reads them: ROM or its shadow, mapped device memory, RAM.
 * @throws UsageError VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS where the whole stretch has no memory, `bad-count` for a
 * length of more than a buffer of Node
 */
export function peek(memory: GuestMemory, at: GuestPhys, length: number): Peeked {
  checkAddress(at);
  countWithin('length', length, 0, constants.MAX_LENGTH);
  const unassigned = gapsIn(memory, at, at + length);
  if (unassigned.length === 1 && unassigned[0].start === at && unassigned[0].end === at + length)
    throw pgmError('VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS', `Cannot read ${hex(at)}: there is no memory`, {
      gcPhys: at,
    });
  const bytes = new Uint8Array(length);
  memory.read(at, bytes, 'device');
  return { bytes, unassigned };
}

/**
 * Writes bytes into RAM, mapped device memory, or writable shadows of ROMs.
 * @throws UsageError with the first address that cannot be written; no byte was written then
 */
export function poke(memory: GuestMemory, at: GuestPhys, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; done += PAGE_SIZE - ((at + done) % PAGE_SIZE)) {
    const gcPhys = at + done;
    const obstacle = obstacleAt(memory, gcPhys);
    if (obstacle !== undefined)
      throw new UsageError('not-writable', `Cannot write to ${hex(gcPhys)}: ${obstacle}`, { gcPhys });
  }
  memory.write(at, bytes, 'device');
}

function obstacleAt(memory: GuestMemory, gcPhys: GuestPhys): string | undefined {
  const range = memory.ranges.find(gcPhys);
  if (!range) return 'there is no memory';
  const page = range.pageOf(gcPhys);
  if (range.state[page] === PageState.BALLOONED) return 'the page was given back to the host (ballooned)';
  if (range.type[page] === PageType.MMIO) return `there are device registers (${range.description})`;
  const rom = memory.roms.find(gcPhys);
  if (!rom) return undefined;
  return rom.protection[page - rom.firstPage] === RomProtection.READ_RAM_WRITE_RAM
    ? undefined
    : `there is ROM (${rom.description}) that takes no writes`;
}

function gapsIn(memory: GuestMemory, start: GuestPhys, end: GuestPhys): AddressRange[] {
  const gaps: AddressRange[] = [];
  for (let at = start; at < end; ) {
    const range = memory.ranges.atOrAbove(at);
    const next = Math.min(end, range?.start ?? end);
    if (next > at) gaps.push({ start: at, end: next });
    at = range ? Math.max(next, range.end) : end;
  }
  return gaps;
}
