import { FOUR_GIB, type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../formats/sizes.ts';
import type { AddressSpace } from './address-space.ts';
import { RW, US } from './schemes.ts';
import { type VisitLimits, visitTables } from './visit-tables.ts';

/** A run of pages: virtual and physical addresses continue, page size and rights are the same. */
export interface VirtualRun {
  /** Virtual address of the first byte. */
  virtual: GuestVirt;
  /** Physical address of the first byte. */
  gcPhys: GuestPhys;
  /** Bytes; up to 2^57. */
  size: number;
  /** Bytes of each of its pages. */
  pageSize: number;
  /** Writes are allowed. */
  writable: boolean;
  /** User mode may access the pages. */
  user: boolean;
  /** No level forbids execution. */
  executable: boolean;
}

/** Mapped memory, in runs. */
export interface VirtualRuns {
  /** Ascending. */
  runs: VirtualRun[];
  /** False when a limit ended the search: hostile tables can map memory without end. */
  complete: boolean;
}

/** Maximum number of runs that are listed; each takes some 100 bytes. */
const MAX_RUNS = 1 << 20;

/** Everything that a CPU's page tables map. Other work gets turns, and can end this. @throws InterruptedError */
export async function mappingsOf(
  space: AddressSpace,
  limits: VisitLimits & { maxRuns?: number | undefined } = {},
  signal?: AbortSignal,
): Promise<VirtualRuns> {
  if (!space.walker) return { runs: [identityRun()], complete: true };
  const list = new RunList(space, limits.maxRuns);
  const complete = await visitTables(space, list, limits, signal);
  return { runs: list.runs, complete: complete && !list.isEnough() };
}

/** Makes runs of pages, in the order of their addresses. */
class RunList {
  readonly runs: VirtualRun[] = [];
  readonly #space: AddressSpace;
  readonly #maxRuns: number;
  /** Addresses don't continue across the hole between the halves of long mode. */
  readonly #upperHalf: number;
  #run: VirtualRun | undefined;
  #nextLinear = 0;
  #nextPhys = 0;
  #lastRights = 0;
  #overflow = false;

  constructor(space: AddressSpace, maxRuns = MAX_RUNS) {
    this.#space = space;
    this.#maxRuns = maxRuns;
    const scheme = space.walker?.scheme;
    this.#upperHalf = scheme?.name === 'long' ? 2 ** (scheme.addressBits - 1) : Number.NaN;
  }

  page(linear: number, gcPhys: number, size: number, rights: number, executable: boolean): void {
    const run = this.#run;
    const same =
      linear === this.#nextLinear &&
      gcPhys === this.#nextPhys &&
      run?.pageSize === size &&
      this.#lastRights === rights &&
      run.executable === executable;
    if (same && run && linear !== this.#upperHalf) run.size += size;
    else if (this.runs.length >= this.#maxRuns) this.#overflow = true;
    else this.runs.push(this.#begin(linear, gcPhys, size, rights, executable));
    this.#nextLinear = linear + size;
    this.#nextPhys = gcPhys + size;
    this.#lastRights = rights;
  }

  isEnough(): boolean {
    return this.#overflow;
  }

  #begin(linear: number, gcPhys: number, size: number, rights: number, executable: boolean): VirtualRun {
    const [writable, user] = [(rights & RW) !== 0, (rights & US) !== 0];
    const virtual = this.#space.virtual(linear);
    this.#run = { virtual, gcPhys, size, pageSize: size, writable, user, executable };
    return this.#run;
  }
}

/** Virtual addresses. */
export interface VirtualAddresses {
  /** Ascending. */
  addresses: GuestVirt[];
  /** False when a limit ended the search. */
  complete: boolean;
}

/** The virtual addresses that map a physical one. @throws InterruptedError */
export async function virtualAddressesOf(
  space: AddressSpace,
  gcPhys: GuestPhys,
  limits: VisitLimits & { maxAddresses?: number } = {},
  signal?: AbortSignal,
): Promise<VirtualAddresses> {
  const { maxAddresses = 1 << 16 } = limits;
  if (!space.walker) return { addresses: gcPhys < FOUR_GIB ? [BigInt(gcPhys)] : [], complete: true };
  const addresses: GuestVirt[] = [];
  const complete = await visitTables(
    space,
    {
      page(linear, start, size) {
        if (gcPhys >= start && gcPhys < start + size && addresses.length < maxAddresses)
          addresses.push(space.virtual(linear) + BigInt(gcPhys - start));
      },
      isEnough: () => addresses.length >= maxAddresses,
    },
    limits,
    signal,
  );
  return { addresses, complete };
}

function identityRun(): VirtualRun {
  return { virtual: 0n, gcPhys: 0, size: FOUR_GIB, pageSize: PAGE_SIZE, writable: true, user: true, executable: true };
}
