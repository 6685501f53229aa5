import type { GuestPhys } from '../../formats/sizes.ts';
import { TWO_32 } from '../../formats/sizes.ts';
import {
  A,
  largePageBase,
  NX_HIGH,
  P,
  type PagingRules,
  type PagingScheme,
  PS,
  RW,
  US,
  type WalkLevel,
  walkLevels,
} from './schemes.ts';

/** Access to guest-physical memory for walks. */
export interface TableMemory {
  /** 4 bytes, little-endian. */
  readU32(gcPhys: GuestPhys): number;
  /** Whether there is RAM or ROM at an address; tables are read from these only. */
  holdsTables(gcPhys: GuestPhys): boolean;
}

/** Results of walks. */
export const WalkStatus = { MAPPED: 0, NOT_PRESENT: 1, RESERVED_BIT: 2, BAD_ADDRESS: 3 } as const;
export type WalkStatus = (typeof WalkStatus)[keyof typeof WalkStatus];

/** VirtualBox's level number for an unreadable root, except in long mode, and for addresses beyond the mode's width. */
const NO_LEVEL = 8;
/** Bits 32 to 51 of an address, in an entry's high half. */
const ADDRESS_HIGH = 0x000fffff;
const RIGHTS = RW | US | A;
const MAX_LEVELS = 5;

/**
 * Walks page tables of one scheme. A walk makes no objects: it leaves its result in fields, which the next walk
 * overwrites.
 *
 * Addresses are numbers here: 32 bits, or the low 48 or 57 bits of a canonical address. With 57 bits, a number can hold
 * the start of each page exactly, but not each byte.
 */
export class Walker {
  readonly scheme: PagingScheme;
  readonly rules: PagingRules;
  readonly levels: readonly WalkLevel[];
  readonly #memory: TableMemory;
  readonly #limit: number;
  readonly #wide: boolean;

  /** Address of the root table. */
  root: GuestPhys = 0;
  /** Entries of a latched root, low and high halves in turn. */
  latched: Uint32Array | undefined;

  status: WalkStatus = WalkStatus.NOT_PRESENT;
  /** Level at which the walk ended: 1 for the last table, counted up towards the root. */
  level = 0;
  /** Physical address of the byte; valid when mapped. */
  gcPhys: GuestPhys = 0;
  /** Size of the page in bytes; valid when mapped. */
  pageSize = 0;
  /** RW, US and A of all levels combined. */
  rights = 0;
  /** No level forbids execution. */
  executable = true;
  /**
   * Number of visited levels. The arrays below have address and value of the entry at each level; a latched entry has
   * address -1.
   */
  depth = 0;
  readonly entryAddress = new Float64Array(MAX_LEVELS);
  readonly entryLow = new Uint32Array(MAX_LEVELS);
  readonly entryHigh = new Uint32Array(MAX_LEVELS);

  constructor(memory: TableMemory, scheme: PagingScheme, rules: PagingRules) {
    this.#memory = memory;
    this.scheme = scheme;
    this.rules = rules;
    this.levels = walkLevels(scheme, rules);
    this.#limit = 2 ** scheme.addressBits;
    this.#wide = scheme.entrySize === 8;
  }

  /** Looks an address up; sets no accessed bits. */
  walk(address: number): WalkStatus {
    this.depth = 0;
    this.rights = RIGHTS;
    this.executable = true;
    if (address >= this.#limit) return this.#end(WalkStatus.NOT_PRESENT, NO_LEVEL);
    const high = Math.floor(address / TWO_32);
    const low = address >>> 0;
    let table = this.root;
    for (const level of this.levels) {
      const index = indexIn(level, high, low);
      if (!this.#fetch(table, index))
        return this.#end(
          WalkStatus.BAD_ADDRESS,
          this.depth === 0 && this.scheme.name !== 'long' ? NO_LEVEL : level.number,
        );
      const entryLow = this.entryLow[this.depth];
      const entryHigh = this.entryHigh[this.depth];
      this.depth++;
      if ((entryLow & P) === 0) return this.#end(WalkStatus.NOT_PRESENT, level.number);
      const isPage = level.last || (level.large && (entryLow & PS) !== 0);
      if (isReserved(level, isPage, entryLow, entryHigh)) return this.#end(WalkStatus.RESERVED_BIT, level.number);
      if (level.hasRights) this.rights &= entryLow;
      if ((entryHigh & NX_HIGH) !== 0) this.executable = false;
      if (isPage) {
        this.pageSize = level.span;
        this.gcPhys = this.pageBase(level, entryLow, entryHigh) + (address % level.span);
        return this.#end(WalkStatus.MAPPED, level.number);
      }
      table = tableAddress(entryLow, entryHigh);
    }
    return this.status;
  }

  /** Start of the page of an entry. */
  pageBase(level: WalkLevel, low: number, high: number): GuestPhys {
    if (this.#wide) {
      const address = tableAddress(low, high);
      return address - (address % level.span);
    }
    return level.last ? (low & 0xfffff000) >>> 0 : largePageBase(low, this.rules);
  }

  #end(status: WalkStatus, level: number): WalkStatus {
    this.level = level;
    this.status = status;
    return status;
  }

  /** Reads an entry to the slot of the present depth. @returns false if no table can be at that address */
  #fetch(table: GuestPhys, index: number): boolean {
    if (this.depth === 0 && this.latched) {
      this.entryAddress[0] = -1;
      this.entryLow[0] = this.latched[2 * index];
      this.entryHigh[0] = this.latched[2 * index + 1];
      return true;
    }
    if (!this.#memory.holdsTables(table)) return false;
    const at = table + index * (this.#wide ? 8 : 4);
    this.entryAddress[this.depth] = at;
    this.entryLow[this.depth] = this.#memory.readU32(at);
    this.entryHigh[this.depth] = this.#wide ? this.#memory.readU32(at + 4) : 0;
    return true;
  }
}

/** Index of the entry that an address uses; `high` and `low` are its halves of 32 bits. */
export function indexIn(
  { shift, indexMask }: Pick<WalkLevel, 'shift' | 'indexMask'>,
  high: number,
  low: number,
): number {
  return (shift >= 32 ? high >>> (shift - 32) : (high << (32 - shift)) | (low >>> shift)) & indexMask;
}

/** Whether a present entry has a bit set that must be zero. */
export function isReserved(level: WalkLevel, isPage: boolean, low: number, high: number): boolean {
  return isPage
    ? ((low & level.pageReservedLow) | (high & level.pageReservedHigh)) !== 0
    : ((low & level.tableReservedLow) | (high & level.tableReservedHigh)) !== 0;
}

/** The address in an entry for a table or a small page. */
export function tableAddress(low: number, high: number): GuestPhys {
  return (high & ADDRESS_HIGH) * TWO_32 + ((low & 0xfffff000) >>> 0);
}
