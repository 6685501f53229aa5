import { hex } from '../../../formats/errors.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { pgmError } from './pgm-errors.ts';

/** x86 has 52 address bits; page frames of savkit have 32 bits, which is 16 TiB. */
const GUEST_PHYS_END = 2 ** 44;

/**
 * Refuses addresses that are no whole numbers from 0 on: walks over pages would never end.
 * @throws UsageError VERR_INVALID_PARAMETER
 */
export function checkAddress(gcPhys: GuestPhys): void {
  if (!Number.isSafeInteger(gcPhys) || gcPhys < 0)
    throw pgmError('VERR_INVALID_PARAMETER', `Cannot use address ${gcPhys}: it is no whole number from 0 on`);
}

/** @throws UsageError VERR_INVALID_PARAMETER unless the stretch consists of whole pages */
export function checkStretch(what: string, start: GuestPhys, size: number): void {
  const fits =
    start >= 0 && size > 0 && start % PAGE_SIZE === 0 && size % PAGE_SIZE === 0 && start + size <= GUEST_PHYS_END;
  if (!fits)
    throw pgmError(
      'VERR_INVALID_PARAMETER',
      `Cannot ${what}: ${hex(start)} + ${hex(size)} is no stretch of whole pages`,
      { gcPhys: start },
    );
}
