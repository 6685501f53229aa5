import { hex, UnsupportedError } from '../errors.ts';
import { type PageBatch, PageKind } from '../pgm/page-batch.ts';
import { PAGE_SIZE } from '../sizes.ts';
import { MAX_BLOCKS } from './constants.ts';
import { guestLayout, orderOfRam, pluggedFrom, type QemuRamLayout } from './guest-layout.ts';
import { type MappedPages, readMappedHeader } from './mapped-header.ts';
import { QemuFormatError } from './qemu-error.ts';
import type { StreamBytes } from './stream-bytes.ts';

/** A block of guest memory: RAM, a ROM, the memory of a device. */
export interface RamBlock {
  /** Index in the list of blocks. */
  id: number;
  /** QEMU's name, such as `pc.ram`. */
  name: string;
  /** Bytes. */
  size: number;
  /** Whether the block is RAM of the guest, and no ROM and no memory of a device. */
  isRam: boolean;
  /** RAM: bytes of the RAM blocks before this one. */
  ramOffset: number;
  /** Guest-physical address of the block, if the stream tells it (`x-ignore-shared`). */
  gcPhys?: number;
  /** Places of the block's pages, where the stream is of mapped RAM. */
  mapped?: MappedPages;
}

/** The list of blocks at the start of section `ram`. */
export class RamBlocks {
  /** All blocks, in the order of the list. */
  readonly all: RamBlock[] = [];
  readonly #byName = new Map<string, RamBlock>();
  /** Guest-physical layout of RAM. */
  layout: QemuRamLayout = guestLayout(undefined, 0);

  /** The block with a name; undefined if there is none. */
  find(name: string): RamBlock | undefined {
    return this.#byName.get(name);
  }

  /** Adds a block at the end of the list. @param size in bytes */
  add(name: string, size: number): RamBlock {
    const block: RamBlock = { id: this.all.length, name, size, isRam: isGuestRam(name), ramOffset: this.ramSize };
    this.all.push(block);
    this.#byName.set(name, block);
    return block;
  }

  /** Bytes of the machine's own RAM, without DIMMs and the like. */
  get ownRamSize(): number {
    return orderOfRam(this.all.filter(({ isRam }) => isRam)).own.reduce((sum, { size }) => sum + size, 0);
  }

  /** To be called when the list is complete. @param lowRam bytes below 4 GiB, where the state tells them */
  settle(machine: string | undefined, lowRam?: number): void {
    const { own, plugged, known } = orderOfRam(this.all.filter(({ isRam }) => isRam));
    let end = 0;
    for (const block of [...own, ...plugged]) {
      block.ramOffset = end;
      end += block.size;
    }
    const offset = this.ownRamSize;
    const layout = guestLayout(machine, offset, own[0]?.name, lowRam);
    const stretches = [...layout.stretches];
    if (plugged.length > 0) stretches.push({ offset, size: end - offset, gcPhys: pluggedFrom(machine, layout) });
    this.layout = { stretches, ofType: layout.ofType, known: layout.known && known };
  }

  /** Id of the RAM block with a guest-physical page frame; -1 for a frame outside of RAM. */
  ramBlockAt(frame: number): number {
    const address = frame * PAGE_SIZE;
    const stretch = this.layout.stretches.find(({ gcPhys, size }) => address >= gcPhys && address < gcPhys + size);
    const offset = stretch ? stretch.offset + address - stretch.gcPhys : address;
    return this.all.findIndex(
      ({ isRam, ramOffset, size }) => isRam && offset >= ramOffset && offset < ramOffset + size,
    );
  }

  /** Guest-physical address of a page of a RAM block. @param offset of the page in the block, in bytes */
  gcPhysOf(block: RamBlock, offset: number): number {
    const at = block.ramOffset + offset;
    const stretch = this.layout.stretches.find((each) => at < each.offset + each.size);
    return stretch ? stretch.gcPhys + at - stretch.offset : at;
  }

  /** Bytes of guest RAM. */
  get ramSize(): number {
    return this.all.reduce((sum, block) => sum + (block.isRam ? block.size : 0), 0);
  }
}

/**
 * Whether a block is RAM, by its name: false for ROMs, firmware tables, and memory of PCI devices, whose blocks are
 * named by the device's path. Users may name RAM blocks.
 */
function isGuestRam(name: string): boolean {
  return !/^\/rom@|\.(bios|m?rom|flash\d*|vram|vgamem)\b|^[0-9a-f]{4}:[0-9a-f]{2}:|\//.test(name);
}

/** Fields of the list's entries besides name and size. */
export interface BlockListForm {
  mapped: boolean;
  ignoreShared: boolean;
}

/**
 * Reads one entry of the list. @param left total size of the blocks that the list still has to name
 * @throws QemuFormatError where the entry is larger than the rest of the list, has no whole pages, or the name of an
 * earlier one
 */
export async function readBlock(
  bytes: StreamBytes,
  blocks: RamBlocks,
  left: number,
  form: BlockListForm,
): Promise<RamBlock> {
  const { offset } = bytes;
  const name = await bytes.name('name of a RAM block');
  const size = await bytes.u64(`size of RAM block ${JSON.stringify(name)}`);
  if (blocks.all.length >= MAX_BLOCKS)
    throw new UnsupportedError('too-many-blocks', `Cannot read RAM blocks: more than ${MAX_BLOCKS}`, { offset });
  if (size > left || size === 0 || size % PAGE_SIZE !== 0) {
    throw new QemuFormatError(
      'bad-block',
      `Cannot read RAM block ${JSON.stringify(name)}: ${hex(size)} bytes, expected whole pages of the ` +
        `${hex(left)} that are left`,
      { offset },
      'Size mismatch',
    );
  }
  if (blocks.find(name))
    throw new QemuFormatError('bad-block', `Cannot read RAM blocks: two are called ${JSON.stringify(name)}`, {
      offset,
    });
  const block = blocks.add(name, size);
  if (form.ignoreShared) {
    const address = await bytes.u64(`address of RAM block ${JSON.stringify(name)}`);
    if (address < 2 ** 52) block.gcPhys = address;
  }
  if (form.mapped) block.mapped = await readMappedHeader(bytes, block);
  return block;
}

/** Number of a page in batches: its guest-physical frame in RAM, else its number in the block. */
export function pageOf(blocks: RamBlocks, block: RamBlock, offset: number): number {
  return block.isRam ? blocks.gcPhysOf(block, offset) / PAGE_SIZE : Math.floor(offset / PAGE_SIZE);
}

/** Adds a page of a block without content. */
export function addPage(batch: PageBatch, blocks: RamBlocks, block: RamBlock, offset: number, zero: boolean): void {
  const page = pageOf(blocks, block, offset);
  if (block.isRam) batch.add(zero ? PageKind.RAM_ZERO : PageKind.RAM_RAW, page, 0, 0);
  else batch.add(zero ? PageKind.MMIO2_ZERO : PageKind.MMIO2_RAW, page, block.id, 0);
}
