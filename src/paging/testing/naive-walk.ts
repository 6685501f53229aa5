// A second walk, for tests: from the processor manuals' pictures of the tables, in BigInt, one mode after the other. It
// shares nothing with the walker: no constants, no tables, no helpers.

export interface NaiveMachine {
  /** Bytes of RAM from address 0. */
  bytes: Uint8Array;
  cr0: bigint;
  cr3: bigint;
  cr4: bigint;
  efer: bigint;
  /** Legacy PAE: pointers as of the last load of CR3. */
  pdptes?: bigint[];
  physicalBits: number;
  /** False: the processor has no pages of 1 GiB. */
  gigabytePages?: boolean;
  /** Place on the bus of a table's address; undefined where no table can be. Default: the address itself. */
  tableAt?: (address: number) => number | undefined;
}

export type NaiveAccess = { write: boolean; user: boolean; fetch: boolean };
/** The physical address and the page's size, or the page fault's error code. */
export type NaiveOutcome = { gcPhys: bigint; pageSize: bigint; w: boolean; u: boolean; x: boolean } | { fault: number };

/** Does an access as a processor does it, accessed and dirty bits included unless `peek`. */
export function naiveAccess(machine: NaiveMachine, address: bigint, access: NaiveAccess, peek = false): NaiveOutcome {
  const walk = new NaiveWalk(machine, address, access, peek);
  if (((machine.cr4 >> 5n) & 1n) === 0n) return walk.twoLevels();
  return ((machine.efer >> 8n) & 1n) === 1n ? walk.longMode() : walk.pae();
}

const LOW_32 = 1n << 32n;
const frame = (entry: bigint) => entry & 0x000f_ffff_ffff_f000n;
const isPresent = (entry: bigint) => (entry & 1n) === 1n;
const isLarge = (entry: bigint) => (entry & 0x80n) !== 0n;

class NaiveWalk {
  readonly #machine: NaiveMachine;
  readonly #address: bigint;
  readonly #access: NaiveAccess;
  readonly #peek: boolean;
  readonly #nxe: boolean;
  readonly #marks: (() => void)[] = [];
  readonly #missing: { fault: number };
  readonly #broken: { fault: number };
  #w = true;
  #u = true;
  #x = true;

  constructor(machine: NaiveMachine, address: bigint, access: NaiveAccess, peek: boolean) {
    this.#machine = machine;
    this.#address = address;
    this.#access = access;
    this.#peek = peek;
    this.#nxe = ((machine.efer >> 11n) & 1n) === 1n;
    const code = (access.write ? 2 : 0) + (access.user ? 4 : 0) + (access.fetch && this.#nxe ? 16 : 0);
    this.#missing = { fault: code };
    this.#broken = { fault: code + 8 + 1 };
  }

  twoLevels(): NaiveOutcome {
    const { cr3, cr4, physicalBits } = this.#machine;
    const address = this.#address;
    if (address >= LOW_32) return this.#missing;
    const isBig = (entry: bigint) => ((cr4 >> 4n) & 1n) === 1n && isLarge(entry);
    const pde = this.#entryAt((cr3 & 0xfffff000n) + (address >> 22n) * 4n, 4, isBig);
    if (pde === undefined) return this.#broken;
    if (!isPresent(pde)) return this.#missing;
    if (isBig(pde)) {
      const gcPhys = (((pde >> 13n) & 0xffn) << 32n) + (pde & 0xffc00000n) + (address & 0x3fffffn);
      if ((pde & 0x200000n) !== 0n || gcPhys >> BigInt(physicalBits < 36 ? 36 : physicalBits) !== 0n)
        return this.#broken;
      return this.#done(gcPhys, 0x400000n);
    }
    const pte = this.#entryAt((pde & 0xfffff000n) + ((address >> 12n) & 1023n) * 4n, 4, () => true);
    if (pte === undefined) return this.#broken;
    return isPresent(pte) ? this.#done((pte & 0xfffff000n) + (address & 0xfffn), 0x1000n) : this.#missing;
  }

  pae(): NaiveOutcome {
    if (this.#address >= LOW_32) return this.#missing;
    const pdpte = this.#machine.pdptes?.[Number(this.#address >> 30n)];
    if (pdpte === undefined) return this.#broken;
    if (!isPresent(pdpte)) return this.#missing;
    if (this.#isTooHigh(pdpte) || (pdpte & 0xfff0_0000_0000_01e6n) !== 0n) return this.#broken;
    return this.#directory(frame(pdpte), 0x7ff0_0000_0000_0000n);
  }

  longMode(): NaiveOutcome {
    if (((this.#machine.cr4 >> 12n) & 1n) === 0n) return this.#fourLevels(frame(this.#machine.cr3));
    const pml5e = this.#entryAt(frame(this.#machine.cr3) + ((this.#address >> 48n) & 511n) * 8n, 8, () => false);
    if (pml5e === undefined) return this.#broken;
    if (!isPresent(pml5e)) return this.#missing;
    return this.#hasSpareBits(pml5e) || isLarge(pml5e) ? this.#broken : this.#fourLevels(frame(pml5e));
  }

  #fourLevels(root: bigint): NaiveOutcome {
    const address = this.#address;
    const pml4e = this.#entryAt(root + ((address >> 39n) & 511n) * 8n, 8, () => false);
    if (pml4e === undefined) return this.#broken;
    if (!isPresent(pml4e)) return this.#missing;
    if (this.#hasSpareBits(pml4e) || isLarge(pml4e)) return this.#broken;
    const pdpte = this.#entryAt(frame(pml4e) + ((address >> 30n) & 511n) * 8n, 8, isLarge);
    if (pdpte === undefined) return this.#broken;
    if (!isPresent(pdpte)) return this.#missing;
    if (this.#hasSpareBits(pdpte)) return this.#broken;
    if (isLarge(pdpte) && this.#machine.gigabytePages === false) return this.#broken;
    if (isLarge(pdpte))
      return (pdpte & 0x3fffe000n) !== 0n
        ? this.#broken
        : this.#done((pdpte & 0x000f_ffff_c000_0000n) + (address & 0x3fffffffn), 1n << 30n);
    return (pdpte & 0x100n) !== 0n ? this.#broken : this.#directory(frame(pdpte), 0n);
  }

  /** The two last levels of PAE and long mode. @param spare bits that must be 0 */
  #directory(directory: bigint, spare: bigint): NaiveOutcome {
    const address = this.#address;
    const pde = this.#entryAt(directory + ((address >> 21n) & 511n) * 8n, 8, isLarge);
    if (pde === undefined) return this.#broken;
    if (!isPresent(pde)) return this.#missing;
    if (this.#hasSpareBits(pde, spare)) return this.#broken;
    if (isLarge(pde))
      return (pde & 0x1fe000n) !== 0n
        ? this.#broken
        : this.#done((pde & 0x000f_ffff_ffe0_0000n) + (address & 0x1fffffn), 1n << 21n);
    const pte = this.#entryAt(frame(pde) + ((address >> 12n) & 511n) * 8n, 8, () => true);
    if (pte === undefined) return this.#broken;
    if (!isPresent(pte)) return this.#missing;
    return this.#hasSpareBits(pte, spare) ? this.#broken : this.#done(frame(pte) + (address & 0xfffn), 0x1000n);
  }

  /** Takes the entry at `where`, which `isLeaf` may call the leaf; undefined where there is no RAM. */
  #entryAt(where: bigint, size: number, isLeaf: (entry: bigint) => boolean): bigint | undefined {
    const { bytes, tableAt = (address: number) => address } = this.#machine;
    const at = tableAt(Number(where));
    if (at === undefined || at + size > bytes.length) return undefined;
    const memory = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const entry = size === 8 ? memory.getBigUint64(at, true) : BigInt(memory.getUint32(at, true));
    this.#w &&= (entry & 2n) !== 0n;
    this.#u &&= (entry & 4n) !== 0n;
    this.#x &&= !(size === 8 && this.#nxe && entry >> 63n === 1n);
    this.#marks.push(() => {
      bytes[at] |= 0x20;
      if (this.#access.write && isLeaf(entry)) bytes[at] |= 0x40;
    });
    return entry;
  }

  #hasSpareBits(entry: bigint, spare = 0n): boolean {
    return (entry & spare) !== 0n || (!this.#nxe && entry >> 63n === 1n) || this.#isTooHigh(entry);
  }

  #isTooHigh(entry: bigint): boolean {
    return (entry & 0x000f_ffff_ffff_ffffn) >> BigInt(this.#machine.physicalBits) !== 0n;
  }

  #done(gcPhys: bigint, pageSize: bigint): NaiveOutcome {
    const { write, user, fetch } = this.#access;
    const wp = ((this.#machine.cr0 >> 16n) & 1n) === 1n;
    const [w, u, x] = [this.#w, this.#u, this.#x];
    if ((write && !w && (user || wp)) || (user && !u) || (fetch && !x)) return { fault: this.#missing.fault + 1 };
    if (!this.#peek) for (const mark of this.#marks) mark();
    return { gcPhys, pageSize, w, u, x };
  }
}
