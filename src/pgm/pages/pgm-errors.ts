import { EnvironmentError, type Place, type SavkitError, UsageError } from '../../../formats/errors.ts';

/**
 * VirtualBox's codes for refusals of the page manager, with savkit's codes and VirtualBox's numbers. Source:
 * iprt/err.h, VBox/err.h.
 */
const PGM_ERRORS = {
  VERR_INVALID_PARAMETER: { code: 'invalid-parameter', number: -2 },
  VERR_INVALID_POINTER: { code: 'invalid-callback', number: -6 },
  VERR_WRONG_ORDER: { code: 'wrong-order', number: -22 },
  VERR_ACCESS_DENIED: { code: 'access-denied', number: -38 },
  VERR_OUT_OF_RANGE: { code: 'out-of-range', number: -54 },
  VERR_NOT_FOUND: { code: 'not-found', number: -78 },
  VERR_ALREADY_EXISTS: { code: 'already-exists', number: -105 },
  VERR_INTERNAL_ERROR: { code: 'not-in-order', number: -225 },
  VERR_EM_NO_MEMORY: { code: 'no-memory', number: -1114 },
  VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE: { code: 'handler-without-range', number: -1601 },
  VERR_PGM_HANDLER_PHYSICAL_CONFLICT: { code: 'handler-conflict', number: -1603 },
  VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS: { code: 'unassigned', number: -1605 },
  VERR_PGM_HANDLER_NOT_FOUND: { code: 'handler-not-found', number: -1607 },
  VERR_PGM_RAM_CONFLICT: { code: 'range-conflict', number: -1608 },
  VERR_PGM_PHYS_PAGE_RESERVED: { code: 'page-reserved', number: -1618 },
  VERR_PGM_PHYS_INVALID_PAGE_ID: { code: 'invalid-page-id', number: -1637 },
  VERR_PGM_PHYS_NOT_RAM: { code: 'not-ram', number: -1639 },
  VERR_PGM_PHYS_NOT_MMIO2: { code: 'not-mmio2', number: -1642 },
  VERR_PGM_INVALID_LARGE_PAGE_RANGE: { code: 'invalid-large-page', number: -1645 },
  VERR_PGM_PHYS_PAGE_BALLOONED: { code: 'page-ballooned', number: -1646 },
  VERR_PGM_UNEXPECTED_PAGE_STATE: { code: 'unexpected-page-state', number: -1656 },
  VERR_PGM_WRITE_MONITOR_ENGAGED: { code: 'write-monitor-engaged', number: -1679 },
} as const;

export type PgmErrorName = keyof typeof PGM_ERRORS;

/** The error for a refusal of the page manager: an impossible request, or a host without memory. */
export function pgmError(name: PgmErrorName, message: string, place: Place = {}): SavkitError {
  return name === 'VERR_EM_NO_MEMORY'
    ? new EnvironmentError(PGM_ERRORS[name].code, message, place, name)
    : new UsageError(PGM_ERRORS[name].code, message, place, name);
}
