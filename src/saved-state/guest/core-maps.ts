import type { MemoryRange } from '../../../formats/image/extents.ts';
import { KIB, MIB } from '../../../formats/sizes.ts';
import type { CpuRegisters } from '../../../formats/units/cpu/cpum.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { type Mapped, mapRanges } from './mapped-stretches.ts';
import type { VirtualStretch } from './upper-half.ts';

/**
 * Maximum number of segments of a core. Readers search all segments at each step, and Volatility makes objects of them,
 * so more would be slow.
 */
const MAX_SEGMENTS = 4096;
/**
 * LeechCore, which is for Windows, wants the head of a core without notes within 8 KiB. Windows has too many mappings
 * for the larger limit, too.
 */
const FEW_SEGMENTS = 144;
/** A mapping of at least this size in one piece is the kernel's map of all memory, or the kernel itself. */
const LARGE = 2 * MIB;
/** Size of a kernel's stack; mappings as near as this to a stack or an instruction pointer are preferred. */
const STACK = 16 * KIB;
const IDENTITY: VirtualStretch = { virtual: 0n, gcPhys: 0, size: 2 ** 52 };

/**
 * Virtual addresses of physical ranges for a core. A Linux kernel maps all memory, so its mappings come first and the
 * rest has its physical address. Other guests may not map all memory, so their memory has its physical address first.
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
