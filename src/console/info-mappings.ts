import type { FixedArea, GuestMapping } from '../paging/mappings/guest-mapping.ts';
import type { GuestMappings } from '../paging/mappings/guest-mappings.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

/**
 * `info mappings`: the hypervisor's mappings in the guest's address space (console.md 1.5). States of pgm 14 hold none,
 * and 7.2 has none.
 */
export function infoMappings({ machine: { mappings } }: ConsoleSession): Answer {
  const lines = mappings.all.flatMap((mapping) => {
    const line = `${digits16(mapping.start)} - ${digits16(lastOf(mapping))}  ${mapping.description}`;
    return mapping.conflicts > 0 ? [line, `  ${conflictsText(mapping)}`] : [line];
  });
  const rows = mappings.all.map((mapping) => ({
    start: `0x${mapping.start.toString(16)}`,
    last: `0x${lastOf(mapping).toString(16)}`,
    description: mapping.description,
    conflicts: mapping.conflicts,
  }));
  return linesOf(['', stateText(mappings), ...lines], rows);
}

function lastOf({ start, size }: GuestMapping): number {
  return start + size - 1;
}

function stateText({ isDisabled, fixed, restoredFixed }: GuestMappings): string {
  const area = ({ base, size }: FixedArea) => `${digits16(base)}-${digits16(base + size - 1)}`;
  if (isDisabled) return 'The mappings are DISABLED.';
  if (fixed) return `The mappings are FIXED: ${area(fixed)}`;
  if (restoredFixed) return `The mappings are FLOATING-RESTORED-FIXED: ${area(restoredFixed)}`;
  return 'The mappings are FLOATING.';
}

/** Addresses of the last eight conflicts, newest first. */
function conflictsText({ conflicts, history }: GuestMapping): string {
  const newest = (conflicts - 1) % history.length;
  const places = history.map((_, i) => history[(newest - i + history.length) % history.length]);
  return `${conflicts} ${conflicts === 1 ? 'conflict' : 'conflicts'}: ${places.map(digits16).join(', ')}`;
}
