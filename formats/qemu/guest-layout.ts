import { FOUR_GIB, GIB, MIB } from '../sizes.ts';

/**
 * A stretch of a machine's RAM: bytes `[offset, offset + size)` of its concatenated blocks, at a guest-physical
 * address.
 */
export interface RamStretch {
  /** Offset of its first byte in the concatenated RAM blocks. */
  offset: number;
  /** Size in bytes. */
  size: number;
  /** Guest-physical address of its first byte. */
  gcPhys: number;
}

/** Guest-physical layout of a machine's RAM. */
export interface QemuRamLayout {
  /** In ascending order. */
  stretches: readonly RamStretch[];
  /** Whether the machine type's layout is known; else all RAM is assumed at 0, in one piece. */
  ofType: boolean;
  /** Whether the place of each block is known, too: there are no DIMMs and the like. */
  known: boolean;
}

/**
 * RAM below 4 GiB by machine type: machines with at least `splitFrom` bytes have `low` bytes of it there, others all.
 * Source: qemu-stream.md 3.
 */
const SPLITS = [
  { machine: /^(pc-)?q35(-|$)/, splitFrom: 2816 * MIB, low: 2 * GIB },
  // Distributions have names of their own in place of QEMU's version.
  { machine: /^(isa)?pc(-|$)/, splitFrom: 3.5 * GIB, low: 3 * GIB },
  { machine: /^microvm$/, splitFrom: 3 * GIB + 1, low: 3 * GIB },
];
/**
 * PCs before 2.4, whose states do not tell the machine type. Their RAM has a name of its own, and in all of them at
 * least this much lies below 4 GiB.
 */
const UNTOLD = { ram: 'pc.ram', low: 2816 * MIB - 1 };

/** Start of RAM in machines of other architectures, which have it in one piece, by the name of the block. */
const BASES: Readonly<Record<string, number>> = {
  'mach-virt.ram': GIB,
  'riscv_virt_board.ram': 2 * GIB,
  's390.ram': 0,
};
/** Start of RAM by machine type, for blocks that the user has named. */
const BASES_BY_TYPE = [
  // For arm and aarch64; the type of riscv has no version.
  { machine: /^virt-\d/, gcPhys: GIB },
  { machine: /^s390-ccw-virtio-/, gcPhys: 0 },
];

/** Names of a machine's own RAM: QEMU's, and libvirt's for NUMA nodes, by number. */
const OWN_RAM = /^(pc|microvm|mach-virt|riscv_virt_board|s390)\.ram$/;
const NODE_RAM = /^ram-node(\d+)$/;

/**
 * RAM blocks in the order of their addresses, as far as names tell; a stream lists them by size. `plugged`: blocks
 * besides the machine's own, such as DIMMs.
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

/** First address of DIMMs and the like: after RAM, at a whole GiB; on PCs not below 4 GiB. */
export function pluggedFrom(machine: string | undefined, { stretches }: QemuRamLayout): number {
  const { gcPhys = 0, size = 0 } = stretches.at(-1) ?? {};
  return Math.ceil(Math.max(gcPhys + size, isPc(machine) ? FOUR_GIB : 0) / GIB) * GIB;
}

/** Whether a machine type is a PC of QEMU, or similar. */
export function isPc(machine: string | undefined): boolean {
  return machine !== undefined && /^(pc|q35|microvm|isapc)/.test(machine);
}

/**
 * Layout of a machine's RAM, from machine type and size, or from the name of the only block of RAM.
 * @param lowRam bytes below 4 GiB, if the state tells them: on PCs users can change the type's value
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

/** Firmware of pc and q35 machines, from a file or in flash memory; it ends at 4 GiB, just below which a CPU starts. */
const FIRMWARE = ['pc.bios', 'system.flash0'];

/** A guest-physical stretch of a block, from `offset` in the block on. */
export interface BlockRange {
  start: number;
  end: number;
  offset: number;
}

/** Guest-physical stretches of a block, ascending; none if unknown. */
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

/** Option ROMs of devices, which cover RAM. */
const OPTION_ROMS = { name: 'pc.rom', gcPhys: 0xc0000 };

/** The address of a block in streams with `x-ignore-shared`; undefined if unknown. */
export function addressOf(block: Parameters<typeof rangesOf>[0], layout: QemuRamLayout): number | undefined {
  if (block.gcPhys !== undefined) return block.gcPhys;
  return block.name === OPTION_ROMS.name && layout.ofType ? OPTION_ROMS.gcPhys : rangesOf(block, layout)[0]?.start;
}
