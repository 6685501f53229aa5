import { FOUR_GIB, GIB, MIB } from '../sizes.ts';

/**
 * A stretch of a machine's RAM: bytes `[offset, offset + size)` of its blocks, one block after the other, at a
 * guest-physical address.
 */
export interface RamStretch {
  /** Of its first byte in all RAM blocks, one after the other. */
  offset: number;
  /** Bytes. */
  size: number;
  /** Guest-physical address of its first byte. */
  gcPhys: number;
}

/** Where a machine has its RAM. */
export interface QemuRamLayout {
  /** Ascending. */
  stretches: readonly RamStretch[];
  /** The machine type is one whose layout is known; else all RAM is taken to begin at 0, in one piece. */
  ofType: boolean;
  /** So is the place of each block: there are no DIMMs and the like besides. */
  known: boolean;
}

/**
 * RAM below 4 GiB by machine type: machines with as much RAM as `splitFrom` have `low` bytes of it there, others all.
 * Source: qemu-stream.md 3.
 */
const SPLITS = [
  { machine: /^(pc-)?q35(-|$)/, splitFrom: 2816 * MIB, low: 2 * GIB },
  // Distributions put words of their own where QEMU has a version.
  { machine: /^(isa)?pc(-|$)/, splitFrom: 3.5 * GIB, low: 3 * GIB },
  { machine: /^microvm$/, splitFrom: 3 * GIB + 1, low: 3 * GIB },
];
/**
 * Machine types before 2.4 are not told; the RAM of PCs has a name of its own. As much as this lies below 4 GiB in all
 * of them.
 */
const UNTOLD = { ram: 'pc.ram', low: 2816 * MIB - 1 };

/** Machines of other architectures have their RAM in one piece; they are known by the name that they give it, */
const BASES: Readonly<Record<string, number>> = {
  'mach-virt.ram': GIB,
  'riscv_virt_board.ram': 2 * GIB,
  's390.ram': 0,
};
/** or by their type, where the user has named it. */
const BASES_BY_TYPE = [
  // Of arm and aarch64; that of riscv has no version.
  { machine: /^virt-\d/, gcPhys: GIB },
  { machine: /^s390-ccw-virtio-/, gcPhys: 0 },
];

/** Names of the RAM that a machine has of itself: QEMU's, and libvirt's for NUMA nodes, by number. */
const OWN_RAM = /^(pc|microvm|mach-virt|riscv_virt_board|s390)\.ram$/;
const NODE_RAM = /^ram-node(\d+)$/;

/**
 * RAM blocks in the order of their addresses, as far as their names tell it; `plugged`: those that come on top of the
 * machine's own, such as DIMMs. The list in a stream is in the order of sizes.
 */
export function orderOfRam<T extends { name: string }>(
  blocks: readonly T[],
): { own: T[]; plugged: T[]; known: boolean } {
  const numberOf = ({ name }: T) => Number(NODE_RAM.exec(name)?.[1] ?? -1);
  const nodes = blocks.filter(({ name }) => NODE_RAM.test(name)).sort((a, b) => numberOf(a) - numberOf(b));
  const named = nodes.length > 0 ? nodes : blocks.filter(({ name }) => OWN_RAM.test(name));
  const own = named.length > 0 ? named : [...blocks];
  const plugged = blocks.filter((block) => !own.includes(block));
  return { own, plugged, known: (named.length > 0 || own.length === 1) && plugged.length === 0 };
}

/** Where DIMMs and the like begin: after RAM, at a whole GiB; of PCs above the first 4 GiB. */
export function pluggedFrom(machine: string | undefined, { stretches }: QemuRamLayout): number {
  const { gcPhys = 0, size = 0 } = stretches.at(-1) ?? {};
  return Math.ceil(Math.max(gcPhys + size, isPc(machine) ? FOUR_GIB : 0) / GIB) * GIB;
}

/** Whether a machine type is a PC of QEMU, or near to one. */
export function isPc(machine: string | undefined): boolean {
  return machine !== undefined && /^(pc|q35|microvm|isapc)/.test(machine);
}

/**
 * Where the RAM of a machine lies. It follows from machine type and size, or from the name of the only block of RAM.
 * @param lowRam bytes below 4 GiB, where the state tells them: users of PCs can choose others than the type has
 */
export function guestLayout(
  machine: string | undefined,
  ramSize: number,
  name = '',
  lowRam: number | undefined = undefined,
): QemuRamLayout {
  const base = BASES[name] ?? BASES_BY_TYPE.find((each) => machine !== undefined && each.machine.test(machine))?.gcPhys;
  if (base !== undefined) return { stretches: [{ offset: 0, size: ramSize, gcPhys: base }], ofType: true, known: true };
  const split = SPLITS.find((each) => machine !== undefined && each.machine.test(machine));
  const isUntold = machine === undefined && name === UNTOLD.ram;
  const told = split || isUntold ? lowRam : undefined;
  const low = told ?? (split && ramSize >= split.splitFrom ? split.low : ramSize);
  const isKnown = split !== undefined || (isUntold && (told !== undefined || ramSize <= UNTOLD.low));
  if (low >= ramSize) return { stretches: [{ offset: 0, size: ramSize, gcPhys: 0 }], ofType: isKnown, known: isKnown };
  return {
    stretches: [
      { offset: 0, size: low, gcPhys: 0 },
      { offset: low, size: ramSize - low, gcPhys: FOUR_GIB },
    ],
    ofType: true,
    known: true,
  };
}

/** The firmware of pc and q35 machines, a file or flash memory: it ends with the first 4 GiB, where a CPU starts. */
const FIRMWARE = ['pc.bios', 'system.flash0'];

/** A guest-physical stretch of a block, from `offset` in the block on. */
export interface BlockRange {
  start: number;
  end: number;
  offset: number;
}

/** Guest-physical stretches of a block, ascending; none where it is not known. */
export function rangesOf(
  block: { name: string; size: number; isRam: boolean; ramOffset: number; gcPhys?: number },
  { stretches, ofType }: QemuRamLayout,
): BlockRange[] {
  if (!block.isRam) {
    const start = block.gcPhys ?? (FIRMWARE.includes(block.name) && ofType ? FOUR_GIB - block.size : undefined);
    return start === undefined ? [] : [{ start, end: start + block.size, offset: 0 }];
  }
  const end = block.ramOffset + block.size;
  return stretches
    .filter((stretch) => stretch.offset < end && stretch.offset + stretch.size > block.ramOffset)
    .map((stretch) => {
      const from = Math.max(stretch.offset, block.ramOffset);
      const to = Math.min(stretch.offset + stretch.size, end);
      const start = stretch.gcPhys + from - stretch.offset;
      return { start, end: start + to - from, offset: from - block.ramOffset };
    });
}

/** ROMs of devices, below the firmware; RAM lies under them. */
const OPTION_ROMS = { name: 'pc.rom', gcPhys: 0xc0000 };

/** The address that streams with `x-ignore-shared` tell of a block; undefined where it is not known. */
export function addressOf(block: Parameters<typeof rangesOf>[0], layout: QemuRamLayout): number | undefined {
  if (block.gcPhys !== undefined) return block.gcPhys;
  return block.name === OPTION_ROMS.name && layout.ofType ? OPTION_ROMS.gcPhys : rangesOf(block, layout)[0]?.start;
}
