import { PAGE_SIZE, TWO_32 } from '../../../formats/sizes.ts';
import type { ShadowPool } from '../pool/pool.ts';
import { NX_HIGH, P, RW, US } from '../schemes.ts';
import { MAPPING } from '../software-bits.ts';
import { type ShadowPlan, slotOf } from './plan.ts';

/** Result of a look-up in shadow tables; overwritten by the next one. */
export interface ShadowLookup {
  /** Host-physical address of the byte; -1 if an entry is missing. */
  host: number;
  /** RW and US of all levels combined. */
  rights: number;
  executable: boolean;
}

/** Bits of an address in the upper half of an entry. */
export const HOST_HIGH = 0x000fffff;

/** Walks the shadow tables from `root`, like a processor. */
export function lookUp(
  pool: ShadowPool,
  plan: ShadowPlan,
  root: number,
  linear: number,
  into: ShadowLookup,
): ShadowLookup {
  const { levels } = plan;
  let table = root;
  let rights = RW | US;
  into.host = -1;
  into.executable = true;
  for (let depth = 0; depth < levels.length; depth++) {
    const level = levels[depth];
    const slot = slotOf(level, linear);
    const low = pool.tables.low(table, slot, level.wide);
    // The guest may not access the hypervisor's mappings.
    if ((low & P) === 0 || (depth < levels.length - 1 && (low & MAPPING) !== 0)) return into;
    const high = pool.tables.high(table, slot, level.wide);
    if (!level.bare) rights &= low;
    if ((high & NX_HIGH) !== 0) into.executable = false;
    table = low >>> 12;
    if (depth === levels.length - 1)
      into.host = (high & HOST_HIGH) * TWO_32 + ((low & 0xfffff000) >>> 0) + (linear % PAGE_SIZE);
  }
  into.rights = plan.ept ? (rights & RW) | US : rights;
  return into;
}
