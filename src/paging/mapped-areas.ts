import type { GuestVirt } from '../../formats/sizes.ts';
import type { AddressSpace } from './address-space.ts';
import { RW, US } from './schemes.ts';
import { type VisitLimits, visitTables } from './visit-tables.ts';

/** A part of virtual memory without large gaps. */
export interface MappedArea {
  /** Virtual address of the first byte. */
  start: GuestVirt;
  /** Virtual address after the last byte. */
  end: GuestVirt;
  /** Mapped bytes; the rest are gaps. */
  mapped: number;
  /** Of these: bytes that user mode can access, that can be written, that can be executed. */
  user: number;
  writable: number;
  executable: number;
}

/** Use of a page of guest-physical memory, by the rights of all its mappings. */
export const PAGE_USES = ['unmapped', 'system data', 'system code', 'user data', 'user code'] as const;
export type PageUse = (typeof PAGE_USES)[number];

/** Uses of guest-physical memory, stretch by stretch. */
export interface PhysicalUses {
  /** Size of a stretch in bytes. */
  stretch: number;
  /** Index in `PAGE_USES` of the use with the most rights in a stretch. */
  uses: Uint8Array;
}

export interface MappedOverview {
  /** Ascending; areas of the upper half of long mode are last. */
  areas: MappedArea[];
  physical: PhysicalUses;
  /** False when a limit ended the search. */
  complete: boolean;
}

/** Limits for tables that map the same memory again and again. */
const MAX_AREAS = 1 << 12;
const MAX_STEPS = 1 << 26;

/**
 * Overview of the memory that a CPU's page tables map.
 * @param limits `gap`: least bytes between two areas; `end`: end of guest-physical memory; `stretch`: as in
 * `PhysicalUses` @throws InterruptedError
 */
export async function overviewOf(
  space: AddressSpace,
  { gap, end, stretch, ...limits }: VisitLimits & { gap: number; end: number; stretch: number },
  signal?: AbortSignal,
): Promise<MappedOverview> {
  let steps = 0;
  const areas: MappedArea[] = [];
  const uses = new Uint8Array(Math.ceil(end / stretch));
  let last = Number.NEGATIVE_INFINITY;
  /** Start of the last page. The conversion to a virtual address is slow, so it is done only at the end of an area. */
  let lastPage = 0;
  const endArea = () => {
    const area = areas.at(-1);
    if (area) area.end = space.virtual(lastPage) + BigInt(last - lastPage);
  };
  const upperHalf = 2 ** ((space.walker?.scheme.addressBits ?? 32) - 1);
  const isLong = space.walker?.scheme.name === 'long';
  const complete = await visitTables(
    space,
    {
      page(linear, gcPhys, size, rights, executable) {
        const isParted = linear - last >= gap || (isLong && linear >= upperHalf && last <= upperHalf);
        if (isParted) {
          endArea();
          areas.push(emptyArea(space.virtual(linear)));
        }
        const area = areas[areas.length - 1];
        lastPage = linear;
        last = linear + size;
        area.mapped += size;
        const isUser = (rights & US) !== 0;
        if (isUser) area.user += size;
        if ((rights & RW) !== 0) area.writable += size;
        if (executable) area.executable += size;
        const use = 1 + (executable ? 1 : 0) + (isUser ? 2 : 0);
        const stop = Math.min(uses.length, Math.ceil((gcPhys + size) / stretch));
        const first = Math.floor(gcPhys / stretch);
        for (let i = first; i < stop; i++) if (uses[i] < use) uses[i] = use;
        steps += Math.max(1, stop - first);
      },
      isEnough: () => steps > MAX_STEPS || areas.length > MAX_AREAS,
    },
    limits,
    signal,
  );
  endArea();
  return { areas, physical: { stretch, uses }, complete };
}

function emptyArea(start: GuestVirt): MappedArea {
  return { start, end: start, mapped: 0, user: 0, writable: 0, executable: 0 };
}
