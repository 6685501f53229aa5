import { PAGE_SHIFT } from '../../../formats/sizes.ts';
import { PageFault } from '../page-fault.ts';
import { RW, US } from '../schemes.ts';

const ENTRIES = 1024;
const EXECUTABLE = 1;
const CLASS_MASK = ENTRIES - 1;
const OFFSET_MASK = 2 ** PAGE_SHIFT - 1;

/** A direct-mapped TLB: remembers results of walks of shadow tables in 1024 entries. */
export class Tlb {
  readonly #pages = new Float64Array(ENTRIES).fill(-1);
  readonly #hosts = new Float64Array(ENTRIES);
  readonly #rights = new Uint8Array(ENTRIES);
  readonly #generations = new Float64Array(ENTRIES);

  /** Host address of a byte, or -1. Entries of other generations don't count. */
  find(linear: number, access: number, generation: number): number {
    const offset = linear & OFFSET_MASK;
    const at = (linear >>> PAGE_SHIFT) & CLASS_MASK;
    if (
      this.#pages[at] !== linear - offset ||
      this.#generations[at] !== generation ||
      (NEEDS[access] & ~this.#rights[at]) !== 0
    )
      return -1;
    return this.#hosts[at] + offset;
  }

  put(linear: number, host: number, rights: number, executable: boolean, generation: number): void {
    const offset = linear & OFFSET_MASK;
    const at = (linear >>> PAGE_SHIFT) & CLASS_MASK;
    this.#pages[at] = linear - offset;
    this.#hosts[at] = host - offset;
    this.#rights[at] = (rights & (RW | US)) | (executable ? EXECUTABLE : 0);
    this.#generations[at] = generation;
  }

  flush(): void {
    this.#pages.fill(-1);
  }

  flushPage(linear: number): void {
    const at = (linear >>> PAGE_SHIFT) & CLASS_MASK;
    if (this.#pages[at] === linear - (linear & OFFSET_MASK)) this.#pages[at] = -1;
  }
}

/** Rights (RW, US, EXECUTABLE) that an access needs, by its bits of `PageFault`. */
export const NEEDS = Uint8Array.from({ length: 32 }, (_, access) => {
  const { WRITE, USER, FETCH } = PageFault;
  return (access & WRITE ? RW : 0) | (access & USER ? US : 0) | (access & FETCH ? EXECUTABLE : 0);
});
