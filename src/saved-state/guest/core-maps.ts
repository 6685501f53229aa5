import type { MemoryRange } from '../../../formats/image/extents.ts';
import { KIB, MIB } from '../../../formats/sizes.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { type Mapped, mapRanges } from './mapped-stretches.ts';
import type { VirtualStretch } from './upper-half.ts';

/**
 * Readers go through all segments at each step, and Volatility makes objects of them: with more than this they get
 * slow.
 */
const MAX_SEGMENTS = 4096;
/**
 * LeechCore wants the head of a core, but for its notes, in 8 KiB. It is for Windows, whose mappings are too many in
 * any case.
 */
const FEW_SEGMENTS = 144;
/** What a kernel maps in one piece of this size is all of its memory, or itself. */
const LARGE = 2 * MIB;
/** A kernel's stack, and as much before it. */
const STACK = 16 * KIB;
const IDENTITY: VirtualStretch = { virtual: 0n, gcPhys: 0, size: 2 ** 52 };

/**
 * The virtual addresses of physical ranges for a core. A Linux kernel maps all of memory: what it does not map has its
 * physical address. Of other guests that is not known: there all of memory has its physical address, too.
 */
export function mapCore(ranges: readonly MemoryRange[], kernel: GuestKernel, cpus: readonly CpuRegisters[]): Mapped {
  const places = cpus.flatMap(({ context }) => (context ? [context.rsp, context.rip] : []));
  const rank = (map: VirtualStretch) => (map.size >= LARGE ? 0 : places.some((place) => isNear(map, place)) ? 1 : 2);
  const maps = kernel.stretches
    .map((map) => ({ ...map, rank: rank(map) }))
    .sort((a, b) => a.rank - b.rank || b.size - a.size);
  const wanted = kernel.vmcoreinfo ? maps : [IDENTITY, ...maps];
  const mapped = mapRanges(ranges, wanted, MAX_SEGMENTS);
  const isComplete = mapped.complete && kernel.complete;
  const stretches =
    isComplete || kernel.vmcoreinfo ? mapped.stretches : mapRanges(ranges, wanted, FEW_SEGMENTS).stretches;
  return { stretches, complete: isComplete };
}

function isNear({ virtual, size }: VirtualStretch, place: bigint): boolean {
  return place + BigInt(STACK) > virtual && place - BigInt(STACK) < virtual + BigInt(size);
}
