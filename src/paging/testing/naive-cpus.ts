import { type NaiveAccess, type NaiveOutcome, naiveAccess } from './naive-walk.ts';
import type { RandomRegisters, TableKind } from './random-tables.ts';

const MEBIBYTE = 2 ** 20;
const READ: NaiveAccess = { write: false, user: false, fetch: false };

/** One CPU as the twin knows it. */
export interface NaiveCpu extends RandomRegisters {
  kind: TableKind | 'none';
  /** Legacy PAE: as of the last load of CR3. */
  pdptes?: bigint[];
}

/** CPUs as a naive twin has them: registers, gates, latched pointers, over one array of bytes. */
export class NaiveCpus {
  readonly bytes: Uint8Array;
  readonly cpus: NaiveCpu[];
  /** CPUs whose A20 gate is off. */
  readonly a20Off = new Set<number>();
  readonly #features: { physicalBits: number; gigabytePages: boolean };
  readonly #holdsTables: (address: number) => boolean;

  /** @param options.holdsTables false where an address of `bytes` is no memory */
  constructor(
    bytes: Uint8Array,
    count: number,
    options: {
      physicalBits?: number | undefined;
      gigabytePages?: boolean;
      holdsTables?: (address: number) => boolean;
    } = {},
  ) {
    this.bytes = bytes;
    this.cpus = Array.from({ length: count }, () => ({ kind: 'none', cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n }));
    const { physicalBits = 52, gigabytePages = true } = options;
    this.#features = { physicalBits, gigabytePages };
    this.#holdsTables = options.holdsTables ?? (() => true);
  }

  /** Does an access as a processor does it, accessed and dirty bits included. */
  access(id: number, address: bigint, access: NaiveAccess): NaiveOutcome {
    return this.#find(id, address, access, false);
  }

  /** The place to which an address leads, without regard to rights; sets no bits. */
  peek(id: number, address: bigint): NaiveOutcome {
    return this.#find(id, address, READ, true);
  }

  /** Address on the bus to which a read of the kernel leads; undefined where it faults. */
  busAddress(id: number, address: bigint): number | undefined {
    const found = this.peek(id, address);
    return 'fault' in found ? undefined : this.bus(id, Number(found.gcPhys));
  }

  /** Makes a bus address of a physical one: while the A20 gate of the CPU is off, bit 20 is 0. */
  bus(id: number, gcPhys: number): number {
    return this.a20Off.has(id) && Math.floor(gcPhys / MEBIBYTE) % 2 === 1 ? gcPhys - MEBIBYTE : gcPhys;
  }

  setA20(id: number, isOn: boolean): void {
    if (isOn) this.a20Off.delete(id);
    else this.a20Off.add(id);
  }

  /** Loads CR3: legacy PAE's pointers are what memory holds now. */
  latch(id: number): void {
    const cpu = this.cpus[id];
    delete cpu.pdptes;
    if (cpu.kind !== 'pae') return;
    const view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    const root = this.bus(id, Number(cpu.cr3 & 0xffffffe0n));
    cpu.pdptes = Array.from({ length: 4 }, (_, i) => view.getBigUint64(root + 8 * i, true));
  }

  #find(id: number, address: bigint, access: NaiveAccess, peek: boolean): NaiveOutcome {
    const { kind, ...registers } = this.cpus[id];
    if (kind === 'none') return { gcPhys: address, pageSize: 4096n, w: true, u: true, x: true };
    const tableAt = (table: number) => {
      const at = this.bus(id, table);
      return this.#holdsTables(at) ? at : undefined;
    };
    const machine = { bytes: this.bytes, ...registers, ...this.#features, tableAt };
    return naiveAccess(machine, address, access, peek);
  }
}
