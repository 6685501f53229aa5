import { FOUR_GIB, type GuestPhys, type GuestVirt, PAGE_SIZE } from '../../formats/sizes.ts';
import type { AddressSpace } from './address-space.ts';
import { RW, US } from './schemes.ts';
import { type VisitLimits, visitPagesInTurns, visitTables } from './visit-tables.ts';

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

/** Most runs that are listed; each takes some 100 bytes. */
const MAX_RUNS = 1 << 20;

/** Everything that a CPU's page tables map. */
export function mappingsOf(space: AddressSpace, limits: VisitLimits & { maxRuns?: number } = {}): VirtualRuns {
  const { maxRuns = MAX_RUNS } = limits;
  if (!space.walker) return { runs: [identityRun()], complete: true };
  const runs: VirtualRun[] = [];
  // Addresses don't continue across the hole between the halves of long mode.
  const upperHalf = 2 ** (space.walker.scheme.addressBits - 1);
  const hasHole = space.walker.scheme.name === 'long';
  let run: VirtualRun | undefined;
  let nextLinear = 0;
  let nextPhys = 0;
  let lastRights = 0;
  let overflow = false;
  const complete = visitTables(
    space,
    {
      page(linear, gcPhys, size, rights, executable) {
        const same =
          linear === nextLinear &&
          gcPhys === nextPhys &&
          run?.pageSize === size &&
          lastRights === rights &&
          run.executable === executable;
        if (same && run && !(hasHole && linear === upperHalf)) run.size += size;
        else if (runs.length >= maxRuns) overflow = true;
        else {
          run = {
            virtual: space.virtual(linear),
            gcPhys,
            size,
            pageSize: size,
            writable: (rights & RW) !== 0,
            user: (rights & US) !== 0,
            executable,
          };
          runs.push(run);
        }
        nextLinear = linear + size;
        nextPhys = gcPhys + size;
        lastRights = rights;
      },
      isEnough: () => overflow,
    },
    limits,
  );
  return { runs, complete: complete && !overflow };
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
  const complete = await visitPagesInTurns(
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
