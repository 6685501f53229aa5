import type { AccountName, HostAccount } from '../gmm/host-account.ts';
import type { HostMemory } from '../gmm/host-memory.ts';
import { HostMemoryError } from '../gmm/host-memory-error.ts';
import { NIL_PAGE_ID } from '../gmm/page-id.ts';
import { HANDY_PAGES, HandyPages } from './handy-pages.ts';
import type { PageAccount, PageBacking } from './page-backing.ts';
import { pgmError } from './pgm-errors.ts';

/** Pages of a host's memory, which other machines share, for one machine. */
export class HostBacking implements PageBacking {
  readonly host: HostMemory;
  readonly account: HostAccount;
  readonly handy: HandyPages;

  /** Reserves what every machine needs; ranges of memory add theirs. @throws HostMemoryError `reservation-declined` */
  constructor(host: HostMemory, account = host.openAccount()) {
    this.host = host;
    this.account = account;
    account.reserve({ base: HANDY_PAGES, shadow: 1, fixed: 1 }, account.policy, account.priority);
    this.handy = new HandyPages(account);
  }

  chunkBytes(id: number): Uint8Array {
    return this.host.chunkBytes(id);
  }

  takePage(gcPhys: number): number {
    return this.handy.take(gcPhys);
  }

  allocatePages(name: PageAccount, into: Uint32Array): void {
    try {
      this.account.allocatePages(name, into);
    } catch (error) {
      throw asNoMemory(error, into.length);
    }
  }

  takeLargePage(_gcPhys: number): number {
    try {
      return this.account.allocateLargePage('base');
    } catch (error) {
      if (error instanceof HostMemoryError) return NIL_PAGE_ID;
      throw error;
    }
  }

  freePages(name: AccountName, ids: Uint32Array): void {
    this.account.freePages(name, ids);
  }

  reserve(name: PageAccount, pages: number): void {
    const { reserved } = this.account;
    this.account.updateReservation({ ...reserved, [name]: reserved[name] + pages });
  }

  /** Gives all of the machine's pages back. */
  close(): void {
    this.account.close();
  }
}

function asNoMemory(cause: unknown, count: number): unknown {
  if (!(cause instanceof HostMemoryError)) return cause;
  const error = pgmError('VERR_EM_NO_MEMORY', `Cannot allocate ${count} pages: ${cause.message}`);
  error.cause = cause;
  return error;
}
