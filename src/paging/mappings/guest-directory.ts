import { type Walker, WalkStatus } from '../walker.ts';
import { MAPPING_UNIT } from './guest-mapping.ts';

/** The guest's page directory, in units of 4 MiB. PAE has two entries for each. */
export interface GuestDirectory {
  /** Whether the guest uses the entry for an address. */
  isPresent(address: number): boolean;
  /** Entries have 64 bits, for 2 MiB each. */
  pae: boolean;
}

/** The directory of a guest's walker; long mode has no such mappings. */
export function guestDirectory(walker: Walker): GuestDirectory {
  return {
    pae: walker.scheme.name === 'pae',
    isPresent(address) {
      const status = walker.walk(address);
      // Only the directory's entry counts, not its target; without a directory there is no entry.
      const isReserved = status === WalkStatus.RESERVED_BIT && walker.level === 2;
      return status === WalkStatus.MAPPED || walker.level === 1 || isReserved;
    },
  };
}

/** Whether the guest uses a part of a range. */
export function isUsed(directory: GuestDirectory, start: number, size: number): boolean {
  const step = directory.pae ? MAPPING_UNIT / 2 : MAPPING_UNIT;
  for (let at = start; at < start + size; at += step) if (directory.isPresent(at)) return true;
  return false;
}
