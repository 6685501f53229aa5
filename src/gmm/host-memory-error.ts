import { SavkitError } from '../../formats/errors.ts';

/**
 * Reasons for which the host's memory refuses a request, with the status codes of VirtualBox's global memory manager.
 * Source: VBox/err.h.
 */
const VBOX_CODES = {
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

/** Reason for a refusal. */
export type HostMemoryCode = keyof typeof VBOX_CODES;

/** Texts of the reasons, for people. */
export const HOST_MEMORY_CODES: Readonly<Record<HostMemoryCode, string>> = {
  'invalid-parameter': 'a number of pages is impossible',
  'wrong-order': 'memory has to be reserved once, before it is used',
  'no-memory': 'the host gives no more memory',
  'seed-me': 'the machine has to give the host a chunk of memory first',
  'global-limit': 'all machines together use all pages of the host',
  'account-limit': 'the machine uses all that it has reserved',
  'free-too-much': 'more pages are to be freed, or put into the balloon, than there are',
  'deflate-too-much': 'more pages are to come out of the balloon than are in it',
  'page-not-found': 'the host has no such page',
  'reservation-declined': 'the host has too few pages for the reservation of the machine',
  'page-not-private': 'the page is shared already, or this host shares none',
  'page-not-shared': 'the page is not shared',
  'page-already-free': 'the page is free already',
  'not-page-owner': 'the page belongs to another machine',
};

/** The host's memory refuses a request. Nothing of the request was done, unless a method's doc says otherwise. */
export class HostMemoryError extends SavkitError<HostMemoryCode> {
  /** @param message one line for people */
  constructor(code: HostMemoryCode, message: string) {
    super(code, message, {}, VBOX_CODES[code]);
  }
}
