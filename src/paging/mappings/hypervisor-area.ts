import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { mappingError } from './mapping-errors.ts';

/** Uses of addresses in raw mode. */
export type ReservedFor =
  | 'cr3-area'
  | 'mode-data'
  | 'trees'
  | 'ram-range'
  | 'mmio2-range'
  | 'mapping'
  | 'dynamic-area'
  | 'zero-page'
  | 'pool'
  | 'fence';

/** A stretch of the area. */
export interface Reservation {
  /** Use of the stretch. */
  readonly what: ReservedFor;
  /** One line for people. */
  readonly description: string;
  /** Address in raw mode. */
  address: number;
  /** Bytes. */
  readonly size: number;
}

/** Bytes that one PAE page table maps. */
const BORDER = 2 * MIB;

/** The hypervisor's stretch of the guest's address space, reserved from front to back. */
export class HypervisorArea {
  readonly #end: number;
  readonly #reserved: Reservation[] = [];
  #next: number;

  /** @param base page-aligned address @param size bytes */
  constructor(base: number, size: number) {
    this.#next = base;
    this.#end = base + size;
  }

  /** Ascending. */
  get all(): readonly Reservation[] {
    return this.#reserved;
  }

  /** Whole pages. @throws UsageError VERR_PGM_NO_HYPERVISOR_ADDRESS where the area is full */
  reserve(what: ReservedFor, description: string, size: number): Reservation {
    const address = this.#next;
    const pages = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    if (address + pages > this.#end)
      throw mappingError(
        'VERR_PGM_NO_HYPERVISOR_ADDRESS',
        `Cannot reserve ${description}: the hypervisor's area is full`,
      );
    this.#next += pages;
    const reservation = { what, description, address, size: pages };
    this.#reserved.push(reservation);
    return reservation;
  }

  /** Reserves within one 2 MiB border; where the next place crosses it, that place is skipped. */
  reserveWithin(what: ReservedFor, description: string, size: number): Reservation {
    const first = this.reserve(what, description, size);
    if (Math.floor(first.address / BORDER) === Math.floor((first.address + first.size - 1) / BORDER)) return first;
    return this.reserve(what, `${description} not crossing`, size);
  }

  /** Reserves a page that is never mapped. */
  fence(): void {
    this.reserve('fence', 'fence', PAGE_SIZE);
  }

  /** Moves all stretches of one use. */
  move(what: ReservedFor, delta: number): void {
    for (const reservation of this.#reserved) if (reservation.what === what) reservation.address += delta;
  }
}
