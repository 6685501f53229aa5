import { hex } from '../../../formats/errors.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { HostMode, ShadowMode } from '../modes.ts';
import { pagingTypeOf } from '../modes.ts';
import { A, D, P, PAGE_MASK_64, RW, US } from '../schemes.ts';
import { MAPPING } from '../software-bits.ts';
import type { AllocateLow } from './hypervisor-pages.ts';
import { mappingError } from './mapping-errors.ts';
import type { MappingTables } from './mapping-tables.ts';

/** Software bit: VirtualBox's own, not to be touched. */
const PERMANENT = 1 << 10;
const TABLE_BYTES = PAGE_SIZE;
/** Maximum number of pages of one stretch: as many as one PAE page table maps. */
const MAX_PAGES = 512;
const PDE32_SHIFT = 22;
const PDE_PAE_SHIFT = 21;

/** The twelve pages, by use; `low` ones lie below 4 GiB. */
export const INTERMEDIATE_PAGES = [
  { name: '32-bit page directory', low: true },
  { name: '32-bit page table for virtual addresses', low: true },
  { name: '32-bit page table for identity addresses', low: true },
  { name: 'PAE page table for virtual addresses', low: false },
  { name: 'PAE page table for identity addresses', low: false },
  { name: 'PAE page directory 0', low: false },
  { name: 'PAE page directory 1', low: false },
  { name: 'PAE page directory 2', low: false },
  { name: 'PAE page directory 3', low: false },
  { name: 'PAE page-directory-pointer table', low: true },
  { name: 'long-mode page-directory-pointer table', low: true },
  { name: 'long-mode PML4', low: true },
] as const;
const PD32 = 0;
const PT32 = 1;
const PT_PAE = 3;
const PD_PAE = 5;
const PDPT_PAE = 9;
const PDPT_LONG = 10;
const PML4 = 11;
/** Index within a pair of tables. */
const VIRTUAL = 0;
const IDENTITY = 1;

/**
 * The page tables that a processor runs on between host and guest: the switcher's code at its virtual address and at
 * its own physical one, in the 32-bit, PAE and long-mode formats at once (paging.md 5.1). `bytes` are the tables, ready
 * to be walked at their frames.
 */
export class IntermediateContext {
  /** Twelve tables, one after the other. */
  readonly bytes = new Uint8Array(INTERMEDIATE_PAGES.length * TABLE_BYTES);
  /** Page frame of each table. */
  readonly frames: readonly number[];
  readonly #view = new DataView(this.bytes.buffer);
  #isFinal = false;

  /** @throws EnvironmentError VERR_NO_PAGE_MEMORY */
  constructor(allocate: AllocateLow) {
    this.frames = INTERMEDIATE_PAGES.map(({ name, low }) => {
      const frame = allocate(low);
      if (frame === undefined || (low && frame >= FOUR_GIB / PAGE_SIZE)) {
        throw mappingError('VERR_NO_PAGE_MEMORY', `Cannot set up the intermediate context: no page for the ${name}`);
      }
      return frame;
    });
    for (let i = 0; i < 4; i++) this.#setWide(PDPT_PAE, i, this.#tableEntry(PD_PAE + i, P | PERMANENT));
    // The same 4 GiB repeat: 128 times within the 512 GiB of a table of pointers, and these 512 GiB in all of the 48
    // bits.
    const flags = P | RW | US | A | PERMANENT;
    for (let i = 0; i < 512; i++) {
      this.#setWide(PDPT_LONG, i, this.#tableEntry(PD_PAE + (i % 4), flags));
      this.#setWide(PML4, i, this.#tableEntry(PDPT_LONG, flags));
    }
  }

  /**
   * Maps a stretch twice: at `virtual`, and at its physical address.
   * @throws UsageError VERR_INVALID_PARAMETER, VERR_WRONG_ORDER, VERR_PGM_INTERMEDIATE_PAGE_CONFLICT (physical and
   * virtual addresses overlap without being equal, or a directory slot or a place in a table is in use for another
   * address)
   */
  add(virtual: number, physical: number, size: number): void {
    checkStretch(virtual, physical, size);
    if (this.#isFinal)
      throw mappingError(
        'VERR_WRONG_ORDER',
        `Cannot add ${hex(virtual)} to the intermediate context: mappings are laid out already`,
      );
    if (virtual !== physical && Math.abs(virtual - physical) < size)
      throw conflict(virtual, 'it overlaps its own physical address');
    const pages = size / PAGE_SIZE;
    this.#checkFree(VIRTUAL, virtual, physical, pages);
    this.#checkFree(IDENTITY, physical, physical, pages);
    this.#map(VIRTUAL, virtual, physical, pages);
    this.#map(IDENTITY, physical, physical, pages);
  }

  /** Allows no more stretches, since guest mappings are laid out around them. */
  finalise(): void {
    this.#isFinal = true;
  }

  /** Whether the 4 MiB at `address` hold an address that a switch uses; mappings make room for it. */
  usesSlot(address: number): boolean {
    const slot = Math.floor(address / 2 ** PDE32_SHIFT);
    return (this.#low(PD32, slot) & (P | MAPPING)) === P;
  }

  /** Lets the 4 MiB at `address` show a mapping, in all formats: a switch ends in it. @internal */
  setMapping(address: number, tables: MappingTables): void {
    this.#putMapping(address, tables.narrowEntry, (half) => tables.wideEntry(half));
  }

  /** Removes the mapping at `address`. @internal */
  clearMapping(address: number): void {
    this.#putMapping(address, 0, () => 0n);
  }

  #putMapping(address: number, narrow: number, wideEntry: (half: number) => bigint): void {
    this.#setLow(PD32, Math.floor(address / 2 ** PDE32_SHIFT), narrow);
    const [pd, slot] = paeSlot(address);
    for (const half of [0, 1]) this.#setWide(PD_PAE + pd, slot + half, wideEntry(half));
  }

  /** Entry in a slot of one of the tables, which is known by its frame. */
  entry(frame: number, slot: number, wide: boolean): bigint {
    const table = this.frames.indexOf(frame);
    return wide ? this.#wide(table, slot) : BigInt(this.#low(table, slot));
  }

  /**
   * CR3 for the host's side of a switch: as in VirtualBox, the page-directory-pointer table of PAE also on AMD64 hosts.
   */
  hostCr3(host: HostMode): number {
    return this.frames[host.startsWith('32-bit') ? PD32 : PDPT_PAE] * PAGE_SIZE;
  }

  /** CR3 for the guest's side of a switch; 0 with nested paging, which needs none. */
  guestCr3(shadow: ShadowMode): number {
    const type = pagingTypeOf(shadow);
    if (type === 'nested' || type === 'ept') return 0;
    return this.frames[type === '32-bit' ? PD32 : type === 'pae' ? PDPT_PAE : PML4] * PAGE_SIZE;
  }

  /** Address of the root for hosts with 32-bit paging. */
  get cr3Of32Bit(): number {
    return this.frames[PD32] * PAGE_SIZE;
  }
  /** Address of the root for hosts with PAE. */
  get cr3OfPae(): number {
    return this.frames[PDPT_PAE] * PAGE_SIZE;
  }
  /** Address of the root for hosts in long mode. */
  get cr3OfLong(): number {
    return this.frames[PML4] * PAGE_SIZE;
  }

  #checkFree(which: 0 | 1, address: number, physical: number, pages: number): void {
    const slot32 = Math.floor(address / 2 ** PDE32_SHIFT);
    const [pd, slotPae] = paeSlot(address);
    const low32 = this.#low(PD32, slot32);
    if (low32 !== 0 && low32 >>> 12 !== this.frames[PT32 + which])
      throw conflict(address, 'its 4 MiB hold another address');
    // VirtualBox compares with the wrong table here for identity addresses.
    const entry = this.#wide(PD_PAE + pd, slotPae);
    if (entry !== 0n && frameOf(entry) !== this.frames[PT_PAE + which])
      throw conflict(address, 'its 2 MiB hold another address');
    for (let i = 0; i < pages; i++) {
      const wanted = physical / PAGE_SIZE + i;
      const in32 = this.#low(PT32 + which, (address / PAGE_SIZE + i) % 1024);
      const inPae = this.#wide(PT_PAE + which, (address / PAGE_SIZE + i) % 512);
      if ((in32 !== 0 && in32 >>> 12 !== wanted) || (inPae !== 0n && frameOf(inPae) !== wanted))
        throw conflict(address, 'its place in the table is in use');
    }
  }

  #map(which: 0 | 1, address: number, physical: number, pages: number): void {
    const [pd, slotPae] = paeSlot(address);
    this.#setLow(
      PD32,
      Math.floor(address / 2 ** PDE32_SHIFT),
      (this.frames[PT32 + which] * PAGE_SIZE + (P | RW | A)) >>> 0,
    );
    this.#setWide(PD_PAE + pd, slotPae, this.#tableEntry(PT_PAE + which, P | RW | A));
    for (let i = 0; i < pages; i++) {
      const page = address / PAGE_SIZE + i;
      const entry = physical + i * PAGE_SIZE + (P | RW | A | D);
      this.#setLow(PT32 + which, page % 1024, entry >>> 0);
      this.#setWide(PT_PAE + which, page % 512, BigInt(entry));
    }
  }

  #tableEntry(table: number, flags: number): bigint {
    return BigInt(this.frames[table]) * BigInt(PAGE_SIZE) + BigInt(flags);
  }

  #low(table: number, slot: number): number {
    return this.#view.getUint32(table * TABLE_BYTES + slot * 4, true);
  }

  #setLow(table: number, slot: number, entry: number): void {
    this.#view.setUint32(table * TABLE_BYTES + slot * 4, entry, true);
  }

  #wide(table: number, slot: number): bigint {
    return this.#view.getBigUint64(table * TABLE_BYTES + slot * 8, true);
  }

  #setWide(table: number, slot: number, entry: bigint): void {
    this.#view.setBigUint64(table * TABLE_BYTES + slot * 8, entry, true);
  }
}

function checkStretch(virtual: number, physical: number, size: number): void {
  const aligned = [virtual, physical, size].every((value) => value >= 0 && value % PAGE_SIZE === 0);
  const fits = size > 0 && size / PAGE_SIZE <= MAX_PAGES && physical + size <= FOUR_GIB && virtual + size <= FOUR_GIB;
  const crosses = [virtual, physical].some(
    (address) => Math.floor(address / 2 ** PDE_PAE_SHIFT) !== Math.floor((address + size - 1) / 2 ** PDE_PAE_SHIFT),
  );
  if (!aligned || !fits || crosses) {
    throw mappingError(
      'VERR_INVALID_PARAMETER',
      `Cannot add ${hex(virtual)} + ${hex(size)} at ${hex(physical)}: expected whole pages below 4 GiB within 2 MiB`,
    );
  }
}

function paeSlot(address: number): [directory: number, slot: number] {
  const slot = Math.floor(address / 2 ** PDE_PAE_SHIFT);
  return [slot >>> 9, slot & 511];
}

function frameOf(entry: bigint): number {
  return Number((entry & PAGE_MASK_64) >> 12n);
}

function conflict(address: number, why: string): Error {
  return mappingError(
    'VERR_PGM_INTERMEDIATE_PAGE_CONFLICT',
    `Cannot add ${hex(address)} to the intermediate context: ${why}`,
  );
}
