import { SavkitError } from '../../formats/errors.ts';

/**
 * What the host's memory answers when it refuses, with the status of VirtualBox's global memory manager for the same.
 * Source: VBox/err.h.
 */
const HOST_MEMORY_CODES = {
  'invalid-parameter': 'VERR_INVALID_PARAMETER',
  'wrong-order': 'VERR_WRONG_ORDER',
  'no-memory': 'VERR_NO_MEMORY',
  'seed-me': 'VERR_GMM_SEED_ME',
  'global-limit': 'VERR_GMM_HIT_GLOBAL_LIMIT',
  'account-limit': 'VERR_GMM_HIT_VM_ACCOUNT_LIMIT',
  'free-too-much': 'VERR_GMM_ATTEMPT_TO_FREE_TOO_MUCH',
  'deflate-too-much': 'VERR_GMM_ATTEMPT_TO_DEFLATE_TOO_MUCH',
  'page-not-found': 'VERR_GMM_PAGE_NOT_FOUND',
  'reservation-declined': 'VERR_GMM_MEMORY_RESERVATION_DECLINED',
  'page-not-private': 'VERR_GMM_PAGE_NOT_PRIVATE',
  'page-not-shared': 'VERR_GMM_PAGE_NOT_SHARED',
  'page-already-free': 'VERR_GMM_PAGE_ALREADY_FREE',
  'not-page-owner': 'VERR_GMM_NOT_PAGE_OWNER',
} as const;

/** What a host can refuse. */
export type HostMemoryCode = keyof typeof HOST_MEMORY_CODES;

/** The host's memory refuses a request; nothing of it was done, except where a method's doc says so. */
export class HostMemoryError extends SavkitError {
  /** What was refused. */
  declare readonly code: HostMemoryCode;

  /** @param message one line for people */
  constructor(code: HostMemoryCode, message: string) {
    super(code, message, {}, HOST_MEMORY_CODES[code]);
  }
}
