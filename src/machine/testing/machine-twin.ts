import { NaiveCpus } from '../../paging/testing/naive-cpus.ts';
import type { Machine } from '../machine.ts';

const PAGE = 4096;
export const TWIN_BYTES = 0x200000;
/** As VirtualBox lays memory out: RAM up to the screen's hole, a ROM in it whose shadow takes writes, RAM above. */
const HOLE = { start: 0xa0000, end: 0x100000 };
const ROM = { start: 0xe2000, end: 0xf0000 };
/** Registers of a processor that was reset; CR0 with caches off. */
const RESET = { kind: 'none', cr0: 0x60000010n, cr3: 0n, cr4: 0n, efer: 0n } as const;
const ADDRESS_AND_PRESENT = 0x000ffffffffff001n;

/** A naive machine of 2 MiB: one array of bytes, a set of ballooned pages, naive CPUs. */
export class MachineTwin {
  readonly bytes = new Uint8Array(TWIN_BYTES);
  readonly cpus: NaiveCpus;
  /** Addresses of the last faults, by CPU. */
  readonly cr2: bigint[];
  readonly ballooned = new Set<number>();
  /** Reads and writes of the ROM go to its shadow; after a reset to the ROM, which is empty. */
  #isRomRam = true;

  constructor(cpus: number) {
    this.cpus = new NaiveCpus(this.bytes, cpus, {
      physicalBits: 36,
      gigabytePages: false,
      holdsTables: (at) => this.#holdsTables(at),
    });
    for (const cpu of this.cpus.cpus) cpu.cr0 = 0x10n;
    this.cr2 = this.cpus.cpus.map(() => 0n);
  }

  isRam(at: number): boolean {
    return at < HOLE.start || (at >= HOLE.end && at < TWIN_BYTES);
  }

  readonly isMemory = (at: number): boolean => this.isRam(at) || isRom(at);

  read(at: number): number {
    return this.isMemory(at) ? this.bytes[at] : 0xff;
  }

  write(at: number, value: number): void {
    const takesIt = this.isRam(at) ? !this.ballooned.has(Math.floor(at / PAGE)) : isRom(at) && this.#isRomRam;
    if (takesIt) this.bytes[at] = value;
  }

  /** Pages up to the first that is no RAM. @returns how many */
  inflate(pages: readonly number[]): number {
    const end = pages.findIndex((page) => !this.isRam(page * PAGE));
    const taken = end < 0 ? pages : pages.slice(0, end);
    for (const page of taken) {
      this.ballooned.add(page);
      this.bytes.fill(0, page * PAGE, (page + 1) * PAGE);
    }
    return taken.length;
  }

  /** Pages up to the first that is not ballooned. @returns how many */
  deflate(pages: readonly number[]): number {
    const end = pages.findIndex((page) => !this.ballooned.delete(page));
    return end < 0 ? pages.length : end;
  }

  reset(): void {
    this.bytes.fill(0);
    this.ballooned.clear();
    this.#isRomRam = false;
    for (const id of this.cpus.cpus.keys()) this.resetCpu(id);
  }

  resetCpu(id: number): void {
    this.cpus.cpus[id] = { ...RESET };
    this.cpus.setA20(id, true);
    this.cr2[id] = 0n;
  }

  /**
   * Does to legacy PAE's pointers what a save and a load do: a state holds only their addresses, and pointers of which
   * none is present are loaded from memory.
   */
  passThroughState(): void {
    for (const [id, cpu] of this.cpus.cpus.entries()) {
      if (!cpu.pdptes) continue;
      if (cpu.pdptes.every((pointer) => pointer % 2n === 0n)) this.cpus.latch(id);
      else
        cpu.pdptes = cpu.pdptes.map((pointer) =>
          pointer % 2n === 0n ? 0n : ((pointer & ADDRESS_AND_PRESENT) as bigint),
        );
    }
  }

  /** A difference between the machine and this twin; undefined where there is none. */
  differenceTo({ cpus, memory }: Machine): string | undefined {
    for (const [id, { kind: _, pdptes: __, ...expected }] of this.cpus.cpus.entries()) {
      const { registers } = cpus[id];
      for (const [name, value] of Object.entries({ ...expected, cr2: this.cr2[id] }))
        if (registers?.[name as 'cr0'] !== value)
          return `${name} of CPU ${id} is ${registers?.[name as 'cr0']}, twin ${value}`;
      if (memory.a20.isOn(id) === this.cpus.a20Off.has(id)) return `A20 gate of CPU ${id}`;
    }
    if (memory.pages.counts.ballooned !== this.ballooned.size)
      return `${memory.pages.counts.ballooned} pages in the balloon, twin ${this.ballooned.size}`;
    return this.#differenceInMemory(memory);
  }

  #differenceInMemory(memory: Machine['memory']): string | undefined {
    for (const range of memory.ranges)
      for (let page = 0; page < range.pages && range.start < TWIN_BYTES; page++) {
        const at = range.start + page * PAGE;
        if (!this.isMemory(at)) continue;
        const content = memory.pages.contentOf(range, page);
        if (Buffer.compare(content, this.bytes.subarray(at, at + PAGE)) === 0) continue;
        const offset = content.findIndex((byte, i) => byte !== this.bytes[at + i]);
        return `byte at 0x${(at + offset).toString(16)} is ${content[offset]}, twin ${this.bytes[at + offset]}`;
      }
    return undefined;
  }

  #holdsTables(at: number): boolean {
    return this.isMemory(at) && !this.ballooned.has(Math.floor(at / PAGE));
  }
}

function isRom(at: number): boolean {
  return at >= ROM.start && at < ROM.end;
}
