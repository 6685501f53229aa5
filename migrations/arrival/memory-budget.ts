import type { TargetHost, TargetMachine } from '../machine/machine.ts';

/** A host whose machine takes memory from a budget. */
export interface Lease<M extends TargetMachine> {
  host: TargetHost<M>;
  /** Gives the memory back once the machine is gone; further calls do nothing. */
  giveBack(): void;
}

/** Memory for all machines of a process. A machine takes its part when it is described, before any page arrives. */
export class MemoryBudget {
  readonly maxPages: number;
  #taken = 0;

  constructor(maxPages: number) {
    this.maxPages = maxPages;
  }

  /** Number of free pages. */
  get left(): number {
    return this.maxPages - this.#taken;
  }

  /** A host for one machine, which takes memory from this budget. */
  lease<M extends TargetMachine>(host: TargetHost<M>): Lease<M> {
    let own = 0;
    const giveBack = () => {
      this.#taken -= own;
      own = 0;
    };
    // A source that connects again describes its machine once more, so the machine's own pages count as free.
    const room = () => Math.min(host.maxPages, this.left + own);
    return {
      giveBack,
      host: {
        get maxPages() {
          return room();
        },
        create: async (description, outline) => {
          giveBack();
          own = description.regions.reduce((sum, { pages }) => sum + pages, 0);
          this.#taken += own;
          return host.create(description, outline).catch((error) => {
            giveBack();
            throw error;
          });
        },
      },
    };
  }
}
