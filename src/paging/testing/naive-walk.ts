// A second walk, for tests: from the processor manuals' pictures of the tables, in BigInt, one mode after the other. It shares nothing with the
// walker: no constants, no tables, no helpers.

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
}

export type NaiveAccess = { write: boolean; user: boolean; fetch: boolean };
/** The physical address and the page's size, or the page fault's error code. */
export type NaiveOutcome = { gcPhys: bigint; pageSize: bigint; w: boolean; u: boolean; x: boolean } | { fault: number };

/** What a processor does with one access, accessed and dirty bits included unless `peek`. */
export function naiveAccess(machine: NaiveMachine, address: bigint, { write, user, fetch }: NaiveAccess, peek = false): NaiveOutcome {
  const { bytes, cr0, cr3, cr4, efer, physicalBits } = machine;
  const memory = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nxe = ((efer >> 11n) & 1n) === 1n;
  const pse = ((cr4 >> 4n) & 1n) === 1n;
  const wp = ((cr0 >> 16n) & 1n) === 1n;
  const code = (write ? 2 : 0) + (user ? 4 : 0) + (fetch && nxe ? 16 : 0);
  const tooHigh = (entry: bigint) => (entry & 0x000f_ffff_ffff_ffffn) >> BigInt(physicalBits) !== 0n;
  const marks: (() => void)[] = [];
  let w = true;
  let u = true;
  let x = true;

  /** Takes the entry at `where`, which is the leaf when it says so. */
  const entryAt = (where: bigint, size: number, isLeaf: (entry: bigint) => boolean): bigint | undefined => {
    const at = Number(where);
    if (at + size > bytes.length) return undefined;
    const entry = size === 8 ? memory.getBigUint64(at, true) : BigInt(memory.getUint32(at, true));
    w &&= (entry & 2n) !== 0n;
    u &&= (entry & 4n) !== 0n;
    x &&= !(size === 8 && nxe && entry >> 63n === 1n);
    marks.push(() => {
      bytes[at] |= 0x20;
      if (write && isLeaf(entry)) bytes[at] |= 0x40;
    });
    return entry;
  };
  const done = (gcPhys: bigint, pageSize: bigint): NaiveOutcome => {
    if ((write && !w && (user || wp)) || (user && !u) || (fetch && !x)) return { fault: code + 1 };
    if (!peek) for (const mark of marks) mark();
    return { gcPhys, pageSize, w, u, x };
  };
  const missing = { fault: code };
  const broken = { fault: code + 8 + 1 };

  if (((cr4 >> 5n) & 1n) === 0n) {
    if (address >= 1n << 32n) return missing;
    const big = (entry: bigint) => pse && (entry & 0x80n) !== 0n;
    const pde = entryAt((cr3 & 0xfffff000n) + (address >> 22n) * 4n, 4, big);
    if (pde === undefined) return broken;
    if ((pde & 1n) === 0n) return missing;
    if (big(pde)) {
      const gcPhys = (((pde >> 13n) & 0xffn) << 32n) + (pde & 0xffc00000n) + (address & 0x3fffffn);
      if ((pde & 0x200000n) !== 0n || gcPhys >> BigInt(physicalBits < 36 ? 36 : physicalBits) !== 0n) return broken;
      return done(gcPhys, 0x400000n);
    }
    const pte = entryAt((pde & 0xfffff000n) + ((address >> 12n) & 1023n) * 4n, 4, () => true);
    if (pte === undefined) return broken;
    return (pte & 1n) === 0n ? missing : done((pte & 0xfffff000n) + (address & 0xfffn), 0x1000n);
  }

  const frame = (entry: bigint) => entry & 0x000f_ffff_ffff_f000n;
  const long = ((efer >> 8n) & 1n) === 1n;
  let directory: bigint;
  if (long) {
    const pml4e = entryAt(frame(cr3) + ((address >> 39n) & 511n) * 8n, 8, () => false);
    if (pml4e === undefined) return broken;
    if ((pml4e & 1n) === 0n) return missing;
    if (tooHigh(pml4e) || (pml4e & 0x80n) !== 0n || (!nxe && pml4e >> 63n === 1n)) return broken;
    const huge = (entry: bigint) => (entry & 0x80n) !== 0n;
    const pdpte = entryAt(frame(pml4e) + ((address >> 30n) & 511n) * 8n, 8, huge);
    if (pdpte === undefined) return broken;
    if ((pdpte & 1n) === 0n) return missing;
    if (tooHigh(pdpte) || (!nxe && pdpte >> 63n === 1n)) return broken;
    if (huge(pdpte)) return (pdpte & 0x3fffe000n) !== 0n ? broken : done((pdpte & 0x000f_ffff_c000_0000n) + (address & 0x3fffffffn), 1n << 30n);
    if ((pdpte & 0x100n) !== 0n) return broken;
    directory = frame(pdpte);
  } else {
    if (address >= 1n << 32n) return missing;
    const pdpte = machine.pdptes?.[Number(address >> 30n)];
    if (pdpte === undefined) return broken;
    if ((pdpte & 1n) === 0n) return missing;
    if (tooHigh(pdpte) || (pdpte & 0xfff0_0000_0000_01e6n) !== 0n) return broken;
    directory = frame(pdpte);
  }
  const spare = (entry: bigint) => (!long && (entry & 0x7ff0_0000_0000_0000n) !== 0n) || (!nxe && entry >> 63n === 1n) || tooHigh(entry);
  const big = (entry: bigint) => (entry & 0x80n) !== 0n;
  const pde = entryAt(directory + ((address >> 21n) & 511n) * 8n, 8, big);
  if (pde === undefined) return broken;
  if ((pde & 1n) === 0n) return missing;
  if (spare(pde)) return broken;
  if (big(pde)) return (pde & 0x1fe000n) !== 0n ? broken : done((pde & 0x000f_ffff_ffe0_0000n) + (address & 0x1fffffn), 1n << 21n);
  const pte = entryAt(frame(pde) + ((address >> 12n) & 511n) * 8n, 8, () => true);
  if (pte === undefined) return broken;
  if ((pte & 1n) === 0n) return missing;
  return spare(pte) ? broken : done(frame(pte) + (address & 0xfffn), 0x1000n);
}
