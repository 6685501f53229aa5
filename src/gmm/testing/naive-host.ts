import type { HostMemoryCode } from '../host-memory-error.ts';
import type { AccountName, AccountPages, BalloonAction, OverCommitPolicy } from '../host-reservation.ts';
import { PAGES_PER_CHUNK } from '../page-id.ts';

/** A page as the model knows it: whose, or how often shared; and what was written to it, 0 for zeros. */
export interface NaivePage {
  owner: NaiveMachine | undefined;
  references: number;
  content: number;
}

export class NaiveMachine {
  reserved: AccountPages = { base: 0, shadow: 0, fixed: 0 };
  allocated: AccountPages = { base: 0, shadow: 0, fixed: 0 };
  shared = 0;
  ballooned = 0;
  overCommitted = 0;
  mayAllocate = false;
}

const total = (pages: AccountPages) => pages.base + pages.shadow + pages.fixed;

/**
 * HostMemory in the fewest words: a map of pages. The test tells it which page the real one has given. Operations give
 * the code of a refusal.
 */
export class NaiveHost {
  readonly pages = new Map<number, NaivePage>();
  readonly machines: NaiveMachine[] = [];
  leftBehind = 0;
  readonly #maxPages: number;

  constructor(maxPages: number) {
    this.#maxPages = maxPages;
  }

  sum(of: (machine: NaiveMachine) => number): number {
    return this.machines.reduce((sum, machine) => sum + of(machine), 0);
  }

  reserve(machine: NaiveMachine, pages: AccountPages, policy: OverCommitPolicy): HostMemoryCode | undefined {
    if (machine.mayAllocate) return 'wrong-order';
    const others = this.sum(({ reserved, overCommitted }) => total(reserved) - overCommitted);
    const overCommitted = Math.max(0, others + total(pages) - this.#maxPages);
    if (overCommitted > 0 && policy === 'no-over-commitment') return 'reservation-declined';
    Object.assign(machine, { reserved: pages, overCommitted, mayAllocate: true });
    return undefined;
  }

  mayAllocate(machine: NaiveMachine, name: AccountName, count: number): HostMemoryCode | undefined {
    if (!machine.mayAllocate) return 'wrong-order';
    if (this.pages.size + count > this.#maxPages) return 'global-limit';
    const ballooned = name === 'base' ? machine.ballooned : 0;
    return machine.allocated[name] + ballooned + count > machine.reserved[name] ? 'account-limit' : undefined;
  }

  allocated(machine: NaiveMachine, name: AccountName, pageIds: Iterable<number>): void {
    for (const id of pageIds) {
      if (this.pages.has(id)) throw new Error(`page ${id} was given twice`);
      this.pages.set(id, { owner: machine, references: 0, content: 0 });
      machine.allocated[name]++;
    }
  }

  /** @param isKnown tells free pages from unknown ones */
  free(
    machine: NaiveMachine,
    name: AccountName,
    pageIds: readonly number[],
    isKnown: (id: number) => boolean,
  ): HostMemoryCode | undefined {
    if (!machine.mayAllocate) return 'wrong-order';
    if (pageIds.length > machine.allocated[name]) return 'free-too-much';
    for (const id of pageIds) {
      const page = this.pages.get(id);
      if (!page) return id >= PAGES_PER_CHUNK && isKnown(id) ? 'page-already-free' : 'page-not-found';
      if (page.owner ? page.owner !== machine : machine.shared === 0) return 'not-page-owner';
      if (!page.owner) machine.shared--;
      if (--page.references <= 0) this.pages.delete(id);
      machine.allocated[name]--;
    }
    return undefined;
  }

  share(machine: NaiveMachine, id: number): HostMemoryCode | undefined {
    const page = this.pages.get(id);
    if (!page) return 'page-already-free';
    if (!page.owner) return 'page-not-private';
    if (page.owner !== machine) return 'not-page-owner';
    Object.assign(page, { owner: undefined, references: 1 });
    machine.shared++;
    return undefined;
  }

  exchange(machine: NaiveMachine, id: number, sharedId: number): HostMemoryCode | undefined {
    const page = this.pages.get(id);
    const shared = this.pages.get(sharedId);
    if (!page || !shared) return 'page-already-free';
    if (shared.owner && shared.owner !== machine) return 'not-page-owner';
    if (page.owner && page.owner !== machine) return 'not-page-owner';
    if (!page.owner) return 'page-not-private';
    if (shared.owner) return 'page-not-shared';
    shared.references++;
    machine.shared++;
    this.pages.delete(id);
    return undefined;
  }

  balloon(machine: NaiveMachine, action: BalloonAction, count: number): HostMemoryCode | undefined {
    if (!machine.mayAllocate) return 'wrong-order';
    if (count >= 2 ** 20) return 'invalid-parameter';
    if (action === 'inflate' && machine.allocated.base + machine.ballooned + count > machine.reserved.base)
      return 'free-too-much';
    if (action === 'deflate' && count > machine.ballooned) return 'deflate-too-much';
    machine.ballooned = { inflate: machine.ballooned + count, deflate: machine.ballooned - count, reset: 0 }[action];
    return undefined;
  }

  end(machine: NaiveMachine): void {
    for (const [id, { owner }] of this.pages) if (owner === machine) this.pages.delete(id);
    this.leftBehind += machine.shared;
    this.machines.splice(this.machines.indexOf(machine), 1);
  }
}
