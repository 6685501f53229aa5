import type { CpuPaging } from '../../formats/pgm/head.ts';
import { NIL_GC_PHYS } from '../../formats/pgm/layouts.ts';
import { type GuestVirt, PAGE_SIZE } from '../../formats/sizes.ts';
import type { PagingFeatures } from '../../formats/units/cpu/cpuid.ts';
import type { ControlRegisters, NewRegisters } from '../../formats/units/cpu/cpum.ts';
import { AddressSpace, latchPdptes, pointersOf } from '../paging/address-space.ts';
import { GuestView } from '../paging/guest-view.ts';
import { guestModeNumber, type PagingMode, pagingModeOf } from '../paging/modes.ts';
import { NO_FAULT, PageFault } from '../paging/page-fault.ts';
import { PAGE_MASK_64 } from '../paging/schemes.ts';
import type { ShadowCpu } from '../paging/shadow/shadow-cpu.ts';
import type { ModeChangeStatus } from '../paging/shadow/shadow-state.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';

/** Paging features according to CPUID. */
export interface PagingOptions {
  /** Absent if unknown. */
  features?: PagingFeatures;
  /** Width of physical addresses. */
  physicalBits?: number;
}

/** Registers after a processor's reset: real mode, caches off. */
export const RESET_REGISTERS: ControlRegisters = { cr0: 0x6000_0010n, cr2: 0n, cr3: 0n, cr4: 0n, efer: 0n };

const PRESENT = 1n;

/**
 * A CPU of a machine: control registers, paging mode, latched pointers of legacy PAE. Its accesses go through its
 * shadow tables if it has some, else through the guest's own tables.
 */
export class MachineCpu {
  /** Number of the CPU. */
  readonly id: number;
  readonly #memory: GuestMemory;
  readonly #options: PagingOptions;
  /** Registers in the state. */
  readonly #loaded: ControlRegisters | undefined;
  #registers: ControlRegisters | undefined;
  #paging: CpuPaging;
  #latched: readonly bigint[] | undefined;
  #modeChanges = 0;
  #countedFrom = 0;
  #wasSet = false;
  #shadow: ShadowCpu | undefined;
  #space: AddressSpace | undefined;

  /** @param registers undefined if the state does not tell them @param paging the CPU's part of the memory unit */
  constructor(
    memory: GuestMemory,
    id: number,
    registers: ControlRegisters | undefined,
    paging: CpuPaging,
    options: PagingOptions,
  ) {
    this.id = id;
    this.#memory = memory;
    this.#options = options;
    this.#loaded = registers;
    this.#registers = registers;
    this.#paging = paging;
    this.#latched = savedPointers(paging.paePds);
  }

  /** Registers as of now; undefined if the state did not tell them. */
  get registers(): ControlRegisters | undefined {
    const shadow = this.#shadow;
    return shadow ? { ...shadow.registers, cr2: shadow.cr2 } : this.#registers;
  }

  /** Paging mode of the guest; undefined as `registers`. */
  get guestMode(): PagingMode | undefined {
    return this.registers && pagingModeOf(this.registers);
  }

  /** Latched pointers of legacy PAE; undefined in other modes, and if unknown. */
  get latched(): readonly bigint[] | undefined {
    return this.#shadow ? this.#shadow.cr3.latched : this.#latched;
  }

  /**
   * Number of changes of the guest's paging mode since power-on or reset; changes before the state was loaded are not
   * counted.
   */
  get modeChanges(): number {
    return this.#modeChanges + (this.#shadow?.counts.modeChanges ?? 0) - this.#countedFrom;
  }

  /** Shadow tables of the CPU, if the machine has some. */
  get shadow(): ShadowCpu | undefined {
    return this.#shadow;
  }

  /** The CPU's part of the memory unit. */
  get paging(): CpuPaging {
    const { a20 } = this.#memory;
    const a20Enabled = a20.isOn(this.id);
    const gate = a20Enabled === this.#paging.a20Enabled ? {} : { a20Enabled, a20Mask: a20.maskOf(this.id) };
    const mode = this.#wasSet ? this.guestMode : undefined;
    return { ...this.#paging, ...gate, ...(mode ? { guestMode: guestModeNumber(mode), paePds: this.#paePds() } : {}) };
  }

  /** The registers, if any differs from those in the state. */
  get newRegisters(): NewRegisters | undefined {
    const { registers } = this;
    if (!registers || (!this.#wasSet && registers.cr2 === this.#loaded?.cr2)) return undefined;
    return { ...registers, ...(this.#wasSet ? { paePointers: this.latched } : {}) };
  }

  /**
   * Writes several control registers at once; the others stay. Does nothing on a CPU whose registers the state did not
   * tell.
   */
  setRegisters(changes: Partial<ControlRegisters>): ModeChangeStatus {
    const before = this.registers;
    if (!before) return 'ok';
    this.#wasSet = true;
    this.#space = undefined;
    const registers = { ...before, ...changes };
    if (this.#shadow) {
      this.#shadow.cr2 = registers.cr2;
      const isReload = changes.cr3 !== undefined && changes.cr3 === before.cr3;
      const status = this.#shadow.setRegisters(registers);
      return isReload && status === 'ok' ? this.#shadow.loadCr3(registers.cr3) : status;
    }
    this.#registers = registers;
    const mode = pagingModeOf(registers);
    const isOther = mode !== pagingModeOf(before);
    if (isOther) this.#modeChanges++;
    if (!mode.startsWith('pae')) this.#latched = undefined;
    else if (isOther || changes.cr3 !== undefined) this.#latch(registers);
    return isOther && mode.startsWith('pae') && this.#options.features?.pae === false ? 'pae-disabled' : 'ok';
  }

  /** Gives up the root of the CPU's shadow tables. */
  leaveMode(): void {
    this.#shadow?.leave();
  }

  /** Sets the registers as at power-on: real mode. */
  enterRealMode(): void {
    this.setRegisters(RESET_REGISTERS);
    this.forgetModeChanges();
  }

  /** Begins the count of mode changes anew. */
  forgetModeChanges(): void {
    this.#countedFrom += this.modeChanges;
  }

  /** Opens the A20 gate, and drops a pending sync. */
  openGate(): void {
    this.#memory.a20.load(this.id, true);
    this.#shadow?.cr3.dropSync();
  }

  /** Makes the CPU run on shadow tables from now on. */
  attach(shadow: ShadowCpu): void {
    const { latched, registers } = this;
    if (registers) {
      shadow.cr2 = registers.cr2;
      shadow.setRegisters(registers);
      if (latched) shadow.latch(latched);
    }
    this.#shadow = shadow;
  }

  /** @returns `NO_FAULT`, or the code of a page fault at `registers.cr2`; bytes before that address have been read */
  read(address: GuestVirt, target: Uint8Array, access = 0): number {
    if (this.#shadow) return this.#shadow.read(address, target, access);
    return this.#eachPage(address, target.length, access, (gcPhys, from, to) =>
      this.#memory.read(gcPhys, target.subarray(from, to), this.id, address + BigInt(from)),
    );
  }

  /** Writes bytes, with results like those of `read`. */
  write(address: GuestVirt, source: Uint8Array, access = 0): number {
    if (this.#shadow) return this.#shadow.write(address, source, access);
    return this.#eachPage(address, source.length, access | PageFault.WRITE, (gcPhys, from, to) =>
      this.#memory.write(gcPhys, source.subarray(from, to), this.id, address + BigInt(from)),
    );
  }

  /** Invalidates a page, as INVLPG does. */
  invalidatePage(address: GuestVirt): void {
    this.#shadow?.invalidatePage(address);
  }

  /** Whether CPUID tells the guest of a mode, NX aside. */
  canUse(mode: 'protected' | '32-bit' | 'pae' | 'long'): boolean {
    const { features } = this.#options;
    return mode === 'long' ? features?.longMode !== false : mode !== 'pae' || features?.pae !== false;
  }

  /**
   * The CPU's virtual memory, by the guest's tables as they are now; undefined without registers. @param cr3 another
   * root
   */
  space(cr3?: bigint): AddressSpace | undefined {
    const { registers } = this;
    if (!registers) return undefined;
    const pdptes = cr3 === undefined ? this.latched : undefined;
    return new AddressSpace(
      new GuestView(this.#memory, this.id),
      { ...registers, cr3: cr3 ?? registers.cr3 },
      { ...this.#options, a20Enabled: this.#memory.a20.isOn(this.id), pdptes },
    );
  }

  #eachPage(
    address: GuestVirt,
    size: number,
    access: number,
    use: (gcPhys: number, from: number, to: number) => void,
  ): number {
    if (!this.#space || this.#space.a20Enabled !== this.#memory.a20.isOn(this.id)) this.#space = this.space();
    for (let done = 0; done < size; ) {
      const at = address + BigInt(done);
      const found = this.#space?.access(at, access) ?? { fault: access };
      if ('fault' in found) {
        if (this.#registers) this.#registers = { ...this.#registers, cr2: at };
        return found.fault;
      }
      const upTo = Math.min(size, done + PAGE_SIZE - Number(at % BigInt(PAGE_SIZE)));
      use(found.gcPhys, done, upTo);
      done = upTo;
    }
    return NO_FAULT;
  }

  #latch({ cr3 }: ControlRegisters): void {
    const halves = latchPdptes(new GuestView(this.#memory, this.id), Number(cr3 & 0xffff_ffe0n));
    this.#latched = halves && pointersOf(halves);
  }

  #paePds(): bigint[] {
    const pointers = this.latched ?? [];
    return Array.from({ length: 4 }, (_, i) => {
      const pointer = pointers[i] ?? 0n;
      return (pointer & PRESENT) === 0n ? NIL_GC_PHYS : pointer & PAGE_MASK_64;
    });
  }
}

/**
 * Latched pointers of legacy PAE, made from the addresses in the memory unit; undefined in states of older releases,
 * which hold none.
 */
export function savedPointers(paePds: readonly bigint[]): bigint[] | undefined {
  if (paePds.every((pd) => pd === NIL_GC_PHYS)) return undefined;
  return paePds.map((pd) => (pd === NIL_GC_PHYS ? 0n : pd | PRESENT));
}
