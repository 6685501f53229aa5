import { UsageError } from '../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { NIL_PAGE_ID } from '../gmm/page-id.ts';
import type { GuestMemory } from './guest-memory.ts';
import { PageType } from './pages/page-states.ts';

/** VirtualBox's limit (MAX_NEEDLE_SIZE). */
const MAX_NEEDLE = 256;

/**
 * The first address in `[start, end)` at which memory holds `needle`, also across pages. Handlers are not called; MMIO
 * and unassigned addresses match nothing. Pages without memory cost no time.
 *
 * @param align power of two; the address is a multiple of it
 * @throws UsageError `bad-needle`
 */
export function scanMemory(
  memory: GuestMemory,
  start: GuestPhys,
  end: GuestPhys,
  needle: Uint8Array,
  align = 1,
): GuestPhys | undefined {
  if (needle.length < 1 || needle.length > MAX_NEEDLE)
    throw new UsageError('bad-needle', `Cannot search for ${needle.length} bytes: expected 1 to ${MAX_NEEDLE}`);
  const isZeroNeedle = needle.every((byte) => byte === 0);
  const overlap = needle.length - 1;
  // The last bytes of the previous page, then those of the current one.
  const window = Buffer.alloc(overlap + PAGE_SIZE);
  let carried = 0;
  let carriesZeros = true;
  for (let at = start; at < end; ) {
    const range = memory.ranges.find(at);
    const page = range?.pageOf(at) ?? 0;
    if (!range || range.type[page] === PageType.MMIO) {
      at = range ? range.addressOf(page + 1) : (memory.ranges.atOrAbove(at)?.start ?? end);
      carried = 0;
      carriesZeros = true;
      continue;
    }
    const from = at % PAGE_SIZE;
    const length = Math.min(PAGE_SIZE - from, end - at);
    const hasMemory = range.pageId[page] !== NIL_PAGE_ID;
    if (hasMemory || isZeroNeedle || !carriesZeros) {
      window.set(memory.pages.contentOf(range, page).subarray(from, from + length), carried);
      const found = indexOfAligned(window.subarray(0, carried + length), needle, at - carried, align);
      if (found >= 0) return at - carried + found;
    } else {
      window.fill(0, carried, carried + length);
    }
    const kept = Math.min(overlap, carried + length);
    window.copyWithin(0, carried + length - kept, carried + length);
    carriesZeros = !hasMemory && length >= overlap;
    carried = kept;
    at += length;
  }
  return undefined;
}

function indexOfAligned(bytes: Buffer, needle: Uint8Array, address: GuestPhys, align: number): number {
  let found = bytes.indexOf(needle);
  while (found >= 0 && (address + found) % align !== 0) found = bytes.indexOf(needle, found + 1);
  return found;
}
