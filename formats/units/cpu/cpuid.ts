/** Paging features that CPUID tells the guest. */
export interface PagingFeatures {
  /** Pages of 4 MiB. */
  pse: boolean;
  /** Physical address extension. */
  pae: boolean;
  /** Global pages. */
  pge: boolean;
  /** Pages of 4 MiB above 4 GiB. */
  pse36: boolean;
  /** Pages that can't be executed. */
  nx: boolean;
  /** Pages of 1 GiB in long mode. */
  gigabytePages: boolean;
  /** 64-bit mode. */
  longMode: boolean;
}

/** Registers of a leaf, as far as they are read. */
interface Leaf {
  eax: number;
  edx: number;
}

/** First of the extended leaves. */
export const FIRST_EXTENDED = 0x80000000;
/** Extended leaf with feature bits. */
export const EXTENDED_FEATURES = FIRST_EXTENDED + 1;
/** From this cpum version on, leaves are 32-byte entries that name themselves. */
const FIRST_WITH_ENTRIES = 15;
const ENTRY_SIZE = 32;
const MAX_ENTRIES = 4096;

/**
 * Finds the CPUID part at or after `from` (parts of unknown length may precede it) and reads leaves 1 and 0x80000001
 * from it. Undefined where there is none. Source: CPUMR3CpuId.cpp, cpumR3SaveCpuId.
 */
export function readPagingFeatures(payload: Uint8Array, from: number, version: number): PagingFeatures | undefined {
  const leaves = leavesOf(payload, from, version);
  if (!leaves) return undefined;
  const basic = leaves.get(1)?.edx ?? 0;
  const extended = leaves.get(FIRST_EXTENDED + 1)?.edx ?? 0;
  const bit = (edx: number, n: number) => ((edx >>> n) & 1) === 1;
  return {
    pse: bit(basic, 3),
    pae: bit(basic, 6),
    pge: bit(basic, 13),
    pse36: bit(basic, 17),
    nx: bit(extended, 20),
    gigabytePages: bit(extended, 26),
    longMode: bit(extended, 29),
  };
}

const MOST_PHYSICAL_BITS = 52;
const PSE36_OR_PAE = (1 << 17) | (1 << 6);

/**
 * Width of physical addresses in bits, 32 to 52: leaf 0x80000008. CPUs without that leaf have 36 bits with PSE-36 or
 * PAE, else 32. Undefined where there is no CPUID part (see `readPagingFeatures`), or for a width that no CPU has.
 */
export function readPhysicalBits(payload: Uint8Array, from: number, version: number): number | undefined {
  const leaves = leavesOf(payload, from, version);
  if (!leaves) return undefined;
  const told = leaves.get(FIRST_EXTENDED + 8)?.eax ?? 0;
  const width = told & 0xff;
  if (width !== 0) return width >= 32 && width <= MOST_PHYSICAL_BITS ? width : undefined;
  return ((leaves.get(1)?.edx ?? 0) & PSE36_OR_PAE) === 0 ? 32 : 36;
}

function leavesOf(payload: Uint8Array, from: number, version: number): Map<number, Leaf> | undefined {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return version >= FIRST_WITH_ENTRIES ? findEntries(view, from)?.leaves : readArrays(view, from);
}

/**
 * Offset of the CPUID part of versions 15 and later, which reaches to the end of the payload. Undefined where there is
 * none.
 */
export function findCpuidPart(payload: Uint8Array, version: number): number | undefined {
  if (version < FIRST_WITH_ENTRIES) return undefined;
  return findEntries(new DataView(payload.buffer, payload.byteOffset, payload.byteLength), 0)?.at;
}

/**
 * `u32 32, u32 count`, then entries with ascending leaves, the first of them leaf 0; the part after them ends with the
 * payload. All of this is checked because the extended state before the part holds bytes that the guest chooses.
 */
function findEntries(view: DataView, from: number): { at: number; leaves: Map<number, Leaf> } | undefined {
  for (let at = from; at + 8 + ENTRY_SIZE <= view.byteLength; at++) {
    const count = view.getUint32(at + 4, true);
    if (
      view.getUint32(at, true) !== ENTRY_SIZE ||
      count < 1 ||
      count > MAX_ENTRIES ||
      !endsPayload(view, at + 8 + count * ENTRY_SIZE)
    )
      continue;
    const leaves = readEntries(view, at + 8, count);
    if (leaves) return { at, leaves };
  }
  return undefined;
}

/**
 * Whether the payload from `from` on consists of a default entry of 16 bytes and two arrays of raw leaves, 16 bytes
 * each.
 */
function endsPayload(view: DataView, from: number): boolean {
  let at = from + 16;
  for (let array = 0; array < 2; array++) {
    if (at + 4 > view.byteLength) return false;
    at += 4 + view.getUint32(at, true) * 16;
  }
  return at === view.byteLength;
}

/** Leaves with sub-leaf 0; undefined if these are no entries. */
function readEntries(view: DataView, at: number, count: number): Map<number, Leaf> | undefined {
  if (view.getUint32(at, true) !== 0) return undefined;
  const leaves = new Map<number, Leaf>();
  let last = 0;
  for (let i = 0; i < count; i++) {
    const entry = at + i * ENTRY_SIZE;
    const leaf = view.getUint32(entry, true);
    if (leaf < last) return undefined;
    last = leaf;
    if (!leaves.has(leaf))
      leaves.set(leaf, { eax: view.getUint32(entry + 12, true), edx: view.getUint32(entry + 24, true) });
  }
  return leaves;
}

/** Three arrays `u32 count, count × {eax, ebx, ecx, edx}` for leaves from 0, 0x80000000 and 0xC0000000. */
function readArrays(view: DataView, from: number): Map<number, Leaf> | undefined {
  const leaves = new Map<number, Leaf>();
  let at = from;
  for (const first of [0, FIRST_EXTENDED]) {
    if (at + 4 > view.byteLength) return undefined;
    const count = view.getUint32(at, true);
    if (count > MAX_ENTRIES || at + 4 + count * 16 > view.byteLength) return undefined;
    for (let i = 0; i < count; i++) {
      const leaf = at + 4 + i * 16;
      leaves.set(first + i, { eax: view.getUint32(leaf, true), edx: view.getUint32(leaf + 12, true) });
    }
    at += 4 + count * 16;
  }
  return leaves;
}
