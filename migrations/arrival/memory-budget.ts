import type { TargetHost, TargetMachine } from '../machine/machine.ts';

/** A host that takes a machine out of a budget. */
export interface Lease<M extends TargetMachine> {
  host: TargetHost<M>;
  /** The machine is gone; to be called once or more often. */
  giveBack(): void;
}

/** Memory that all machines of a process share: taken when a machine is described, before a page of it comes. */
export class MemoryBudget {
  readonly maxPages: number;
  #taken = 0;

  constructor(maxPages: number) {
    this.maxPages = maxPages;
  }

  /** Pages that are left. */
  get left(): number {
    return this.maxPages - this.#taken;
  }

  /** A host whose one machine comes out of this budget. */
  lease<M extends TargetMachine>(host: TargetHost<M>): Lease<M> {
    let own = 0;
    const giveBack = () => {
      this.#taken -= own;
      own = 0;
    };
    // A source that comes again describes its machine once more: what it has already is not to be had twice.
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
