import type { Machine } from '../machine.ts';
import type { MachineTwin } from './machine-twin.ts';

const UNIT = 0x400000;
const UNITS = 1024;
const GIGABYTE = 0x40000000;
/** With more of its address space in use than this a guest may leave no place for the hypervisor. */
const CROWDED = 700;

/**
 * Faults of the mappings of a machine in raw mode, by a naive look at the guest's entry for each 4 MiB:
 * floating ones are where it has nothing, and every CPU's shadow tables have their entries there, and nowhere else.
 */
export function mappingFaults({ rawMode, shadow }: Machine, twin: MachineTwin): string[] {
  if (!rawMode || !shadow) return [];
  const faults: string[] = [];
  for (const { id, cr3, plan, root } of shadow.cpus) {
    if (!plan || plan.nested || plan.levels.length > 3 || root === 0) continue;
    const used = usedUnits(twin, id);
    const count = used.filter((isUsed) => isUsed).length;
    for (const { address, tables } of rawMode.mappings.placed) {
      const isInTheWay = used[address / UNIT] && !rawMode.mappings.fixed;
      if (isInTheWay && !cr3.isSyncPending && count < CROWDED)
        faults.push(`CPU ${id} has pages at 0x${address.toString(16)}, where a mapping floats`);
      const { pool } = shadow;
      const [found, expected] =
        plan.levels.length === 2
          ? [pool.tables.low(root, address / UNIT, false), tables.narrowEntry]
          : [wideEntry(address), Number(tables.wideEntry(0) & 0xffffffffn)];
      if (found !== expected && !cr3.isSyncPending)
        faults.push(`CPU ${id} has ${found} for the mapping at 0x${address.toString(16)}, expected ${expected}`);
    }
    function wideEntry(address: number): number {
      const { pool } = shadow as NonNullable<typeof shadow>;
      const directory = pool.childOf(root, Math.floor(address / GIGABYTE));
      return pool.tables.low(directory, Math.floor((address % GIGABYTE) / (UNIT / 2)), true);
    }
  }
  return faults;
}

/** The stretches of 4 MiB for which the directories of a CPU have an entry. */
function usedUnits({ cpus, bytes, isMemory }: MachineTwin, id: number): boolean[] {
  const { kind, cr3, pdptes } = cpus.cpus[id];
  const view = new DataView(bytes.buffer);
  const entryAt = (at: number) => isMemory(cpus.bus(id, at)) && view.getUint8(cpus.bus(id, at)) % 2 === 1;
  return Array.from({ length: UNITS }, (_, unit) => {
    if (kind === '32-bit') return entryAt(Number(cr3 & 0xfffff000n) + unit * 4);
    const pointer = kind === 'pae' ? (pdptes?.[unit >> 8] ?? 0n) : 0n;
    const directory = pointer & 0xffffffffff000n;
    // A pointer with a bit that must be 0, or beyond 36 bits, leads nowhere.
    const isSound = pointer % 2n === 1n && (pointer & ~0xfffffee19n) === 0n;
    return isSound && [0, 1].some((half) => entryAt(Number(directory) + ((unit % 256) * 2 + half) * 8));
  });
}
