import { A, D, RW, US } from './schemes.ts';
import { type Walker, WalkStatus } from './walker.ts';

/** Bits of the error code that a page fault pushes. */
export const PageFault = { PRESENT: 1, WRITE: 2, USER: 4, RESERVED: 8, FETCH: 16 } as const;

/** Kind of an access: WRITE, USER and FETCH of `PageFault`; 0 for a read by the supervisor. */
export type AccessKind = number;

/** No fault. 0 is a fault's code: a read by the supervisor from a page that is not present. */
export const NO_FAULT = -1;

/**
 * Error code of an access after a walk of `walker`, or `NO_FAULT`.
 *
 * An entry with an address outside of memory counts as one with a reserved bit (paging.md 6.4).
 */
export function faultOf(walker: Walker, access: AccessKind): number {
  const { wp, nxe } = walker.rules;
  const code = access & (PageFault.WRITE | PageFault.USER | (nxe ? PageFault.FETCH : 0));
  if (walker.status === WalkStatus.NOT_PRESENT) return code;
  if (walker.status !== WalkStatus.MAPPED) return code | PageFault.RESERVED | PageFault.PRESENT;
  const user = (access & PageFault.USER) !== 0;
  const mayNotWrite = (access & PageFault.WRITE) !== 0 && (walker.rights & RW) === 0 && (user || wp);
  const mayNotUse = user && (walker.rights & US) === 0;
  const mayNotFetch = (access & PageFault.FETCH) !== 0 && !walker.executable;
  return mayNotWrite || mayNotUse || mayNotFetch ? code | PageFault.PRESENT : NO_FAULT;
}

/**
 * Sets accessed bits at every level that has them and, for a write, the dirty bit of the leaf, as a processor does
 * after a walk without fault. Writes only entries that change, and of them the low half.
 */
export function setAccessedBits(
  walker: Walker,
  access: AccessKind,
  write: (gcPhys: number, value: number, old: number) => void,
): void {
  for (let i = 0; i < walker.depth; i++) {
    if (!walker.levels[i].hasRights) continue;
    const isLeaf = i === walker.depth - 1;
    const low = walker.entryLow[i];
    const wanted = (low | A | (isLeaf && (access & PageFault.WRITE) !== 0 ? D : 0)) >>> 0;
    if (wanted === low) continue;
    write(walker.entryAddress[i], wanted, low);
    walker.entryLow[i] = wanted;
  }
  walker.rights |= A;
}
