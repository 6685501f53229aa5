import { P } from '../schemes.ts';

/** Words of a table: 1024 entries of 32 bits, or 512 of 64. */
const WORDS = 1024;
/**
 * Host-physical address of the pool's page 0. Page ids of guest memory have 28 bits, so all pages of the pool lie above
 * guest memory.
 */
export const POOL_BASE_HIGH = 0x100;

/** The tables of the pool, as processors read them. Pool pages are known by index. */
export class TableStore {
  readonly words: Uint32Array;
  /** For each entry that maps a guest page: its frame + 1. */
  readonly frames: Uint32Array;
  /** Present entries of each table. */
  readonly present: Uint16Array;

  constructor(tables: number) {
    this.words = new Uint32Array(tables * WORDS);
    this.frames = new Uint32Array(tables * WORDS);
    this.present = new Uint16Array(tables);
  }

  low(table: number, slot: number, wide: boolean): number {
    return this.words[table * WORDS + (wide ? slot * 2 : slot)];
  }

  high(table: number, slot: number, wide: boolean): number {
    return wide ? this.words[table * WORDS + slot * 2 + 1] : 0;
  }

  set(table: number, slot: number, wide: boolean, low: number, high: number, frame?: number): void {
    const at = table * WORDS + (wide ? slot * 2 : slot);
    if ((this.words[at] & P) === 0) this.present[table]++;
    this.words[at] = low;
    if (wide) this.words[at + 1] = high;
    this.frames[table * WORDS + slot] = frame === undefined ? 0 : frame + 1;
  }

  clear(table: number, slot: number, wide: boolean): void {
    const at = table * WORDS + (wide ? slot * 2 : slot);
    if ((this.words[at] & P) !== 0) this.present[table]--;
    this.words[at] = 0;
    if (wide) this.words[at + 1] = 0;
    this.frames[table * WORDS + slot] = 0;
  }

  /** Frame of the guest page that an entry maps; -1 for none. */
  frame(table: number, slot: number): number {
    return this.frames[table * WORDS + slot] - 1;
  }

  wipe(table: number): void {
    this.words.fill(0, table * WORDS, (table + 1) * WORDS);
    this.frames.fill(0, table * WORDS, (table + 1) * WORDS);
    this.present[table] = 0;
  }
}
