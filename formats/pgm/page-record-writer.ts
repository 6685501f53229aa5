import { PAGE_SIZE, TWO_32 } from '../sizes.ts';
import { END_ID } from './layouts.ts';
import { isRam, PageKind } from './page-batch.ts';

/** The longest head of a record: type, 8 bytes of address; or type, id, page, protection. */
const MAX_HEAD_SIZE = 9;
const WITH_ADDRESS = 0x80;

/**
 * Makes the heads of page records (versions 10 to 14), which precede the pages' contents. Like VirtualBox it gives an
 * address only where the page does not follow the previous one. One object for each pass.
 */
export class PageRecordHeads {
  /** The head made last: the first `length` bytes. */
  readonly bytes = new Uint8Array(MAX_HEAD_SIZE);
  length = 0;
  readonly #gcPhysWidth: 4 | 8;
  #frame = Number.NaN;
  #rangeKind = -1;
  #id = -1;
  #page = -1;

  constructor(gcPhysWidth: 4 | 8) {
    this.#gcPhysWidth = gcPhysWidth;
  }

  /** @param page RAM: page frame; ROM and MMIO2: page number within range `id` */
  make(kind: number, page: number, id: number, protection: number): void {
    if (isRam(kind)) this.#makeRam(kind, page);
    else this.#makeRange(kind, page, id);
    if (kind >= PageKind.ROM_VIRGIN && kind <= PageKind.ROM_PROTECTION) this.bytes[this.length++] = protection;
  }

  /** Makes the byte that ends a pass. */
  makeEnd(): void {
    this.bytes[0] = END_ID;
    this.length = 1;
  }

  #makeRam(kind: number, frame: number): void {
    const addressed = frame !== this.#frame + 1;
    this.#frame = frame;
    this.#rangeKind = -1;
    this.bytes[0] = addressed ? kind | WITH_ADDRESS : kind;
    this.length = 1;
    if (!addressed) return;
    const address = frame * PAGE_SIZE;
    this.#putU32(address % TWO_32);
    if (this.#gcPhysWidth === 8) this.#putU32(Math.floor(address / TWO_32));
  }

  /**
   * Loaders let ROM and MMIO2 records share id and page; VirtualBox's writers, and this one, name the address at each
   * change of kind.
   */
  #makeRange(kind: number, page: number, id: number): void {
    const rangeKind = kind >= PageKind.ROM_VIRGIN ? (kind === PageKind.ROM_VIRGIN ? 1 : 2) : 0;
    const addressed = rangeKind !== this.#rangeKind || id !== this.#id || page !== this.#page + 1;
    this.#rangeKind = rangeKind;
    this.#id = id;
    this.#page = page;
    this.#frame = Number.NaN;
    this.bytes[0] = addressed ? kind | WITH_ADDRESS : kind;
    this.length = 1;
    if (!addressed) return;
    this.bytes[this.length++] = id;
    this.#putU32(page);
  }

  #putU32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.bytes[this.length++] = (value >>> shift) & 0xff;
  }
}
