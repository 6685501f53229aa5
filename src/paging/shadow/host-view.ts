import { swapWords } from '../../../formats/binary/byte-order.ts';
import { UsageError } from '../../../formats/errors.ts';
import { PAGE_SIZE, TWO_32 } from '../../../formats/sizes.ts';
import { offsetInChunk } from '../../gmm/page-id.ts';
import { AddressSpace, type AddressSpaceMemory } from '../address-space.ts';
import { CR4_PAE, EFER_LMA, EFER_LME, EFER_NXE } from '../modes.ts';
import { FIRST_INDEX, NIL_INDEX } from '../pool/pool-pages.ts';
import { POOL_BASE_HIGH } from '../pool/table-store.ts';
import type { ShadowCpu } from './shadow-cpu.ts';
import type { ShadowedMachine } from './shadow-state.ts';

const POOL_BASE = POOL_BASE_HIGH * TWO_32;
/** Control registers for the host's paging modes: PG and PE; PAE; LME, LMA and NXE. */
const CR0 = 0x80000001n;
const EFER_LONG = EFER_LME | EFER_LMA | EFER_NXE;

/**
 * Host-physical memory as shadow tables see it: guest pages at page ID × 4096, tables of the pool from 2^40 on. Tables
 * with 32-bit entries hold the low half of a pool table's address, so with `narrow` pool tables are at the bottom.
 * Read-only.
 */
class HostView implements AddressSpaceMemory {
  readonly #paging: ShadowedMachine;
  readonly #base: number;

  constructor(paging: ShadowedMachine, narrow: boolean) {
    this.#paging = paging;
    this.#base = narrow ? 0 : POOL_BASE;
  }

  /** Host-physical address of a table of the pool. */
  addressOf(table: number): number {
    return this.#base + table * PAGE_SIZE;
  }

  /** The table of the pool at an address; `NIL_INDEX` where there is none. */
  tableAt(host: number): number {
    const table = Math.floor((host - this.#base) / PAGE_SIZE);
    return table >= FIRST_INDEX && this.#paging.pool.kindOf(table) ? table : NIL_INDEX;
  }

  holdsTables(host: number): boolean {
    return this.tableAt(host) !== NIL_INDEX;
  }

  readU32(host: number): number {
    const { words } = this.#paging.pool.tables;
    return this.holdsTables(host) ? words[(host - this.#base) / 4] : 0xffffffff;
  }

  read(host: number, target: Uint8Array): void {
    const { words } = this.#paging.pool.tables;
    const { backing } = this.#paging.memory.pages;
    if (this.holdsTables(host)) {
      target.set(new Uint8Array(words.buffer, host - this.#base, target.length));
      swapWords(target);
    } else {
      const id = Math.floor(host / PAGE_SIZE);
      const at = offsetInChunk(id) + (host % PAGE_SIZE);
      target.set(backing.chunkBytes(id).subarray(at, at + target.length));
    }
  }

  write(): void {
    throw new UsageError('read-only', 'Cannot write to shadow tables: the pool keeps them');
  }

  writeU32(): void {
    this.write();
  }
}

/**
 * A CPU's shadow tables as an address space with host-physical translations, to be listed and walked like the guest's.
 * Undefined while there are none. EPT entries are read like entries of long mode: read, write, execute appear as P, RW,
 * US.
 */
export function shadowSpace(cpu: ShadowCpu): AddressSpace | undefined {
  const { paging, plan, root } = cpu;
  if (!plan || root === NIL_INDEX) return undefined;
  const view = new HostView(paging, !plan.levels[0].wide);
  const address = view.addressOf(root);
  const registers = {
    cr0: CR0,
    cr3: BigInt(address),
    cr4: plan.levels[0].wide ? CR4_PAE : 0n,
    efer: plan.levels.length === 4 ? EFER_LONG : EFER_NXE,
  };
  if (plan.levels.length !== 3) return new AddressSpace(view, registers);
  // The root of PAE tables has to be below 4 GiB, as CR3 has 32 bits, so its entries are copied one by one.
  const pdptes = Array.from(
    { length: 4 },
    (_, i) => (BigInt(view.readU32(address + 8 * i + 4)) << 32n) | BigInt(view.readU32(address + 8 * i)),
  );
  return new AddressSpace(view, registers, { pdptes });
}
