import { hex, UsageError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ControlRegisters } from '../../formats/units/cpu/cpum.ts';
import { AddressSpace } from '../paging/address-space.ts';
import { pagingModeOf } from '../paging/modes.ts';
import { pgmError } from '../pgm/pages/pgm-errors.ts';
import { familyOf, readState } from '../saved-state/families/read-state.ts';
import { virtualboxView } from '../saved-state/families/virtualbox-view.ts';
import type { StateFamily } from '../saved-state/reading/families.ts';
import type { MemoryFlaws, StateView } from '../saved-state/reading/state-view.ts';
import { stepOf } from '../saved-state/reading/step.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { cannotTranslate, noSuchCpu } from './cpu-errors.ts';
import type { AddressRange, Peeked } from './edit.ts';
import { expectMemoryUnit, type LoadOptions } from './load.ts';
import { MemoryFile } from './memory-file.ts';
import { MemoryIndex } from './memory-index.ts';
import { savedSpaceOf } from './saved-space.ts';
import type { SeenMemory } from './seen-memory.ts';

/** A machine of a saved state of any family, opened for reading. */
export interface OpenedMachine {
  /** Pages that the state lacks are zeros here. */
  readonly flaws: MemoryFlaws;
  /** @throws UsageError if there is no memory in the whole stretch */
  peek(at: GuestPhys, length: number): Peeked;
  /**
   * The virtual memory of a CPU. @param cr3 another root than the CPU's. @throws UsageError `no-such-cpu`,
   * `no-registers`
   */
  space(cpu?: number, cr3?: bigint): AddressSpace;
  /** Closes files; nothing may be read afterwards. */
  close(): void;
}

type Options = Pick<LoadOptions, 'signal' | 'onProgress'>;

const OPENERS: Record<StateFamily['name'], (source: ByteSource, options: Options) => Promise<OpenedMachine>> = {
  async virtualbox(source, options) {
    const loading = stepOf(options, 'loading');
    const saved = await walkState(source, stepOf(options, 'checking'));
    expectMemoryUnit(saved);
    const state = virtualboxView(saved);
    const memory =
      (await MemoryIndex.open(source, state, loading)) ?? (await MemoryFile.open(source, state, loading, NOTHING));
    const noMemory = (at: GuestPhys) =>
      pgmError('VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS', `Cannot read ${hex(at)}: there is no memory`, { gcPhys: at });
    return {
      flaws: state.memory ?? {},
      peek: (at, length) => peekSeen(memory, at, length, noMemory),
      space: (cpu, cr3) => savedSpaceOf(memory, saved, cpu, cr3),
      close: () => memory.close(),
    };
  },
  async qemu(source, options) {
    const loading = stepOf(options, 'loading');
    const state = await readState(source, stepOf(options, 'checking'));
    const memory = await MemoryFile.open(source, state, loading, 0);
    const noMemory = (at: GuestPhys) =>
      new UsageError('no-memory', `Cannot read ${hex(at)}: there is no memory`, { gcPhys: at });
    return {
      flaws: state.memory ?? {},
      peek: (at, length) => peekSeen(memory, at, length, noMemory),
      space: (cpu, cr3) => spaceOf(memory, state, cpu, cr3),
      close: () => memory.close(),
    };
  },
};

/** Value of a byte where there is no memory. */
const NOTHING = 0xff;

/** @param source seekable: a state is read twice. @throws FormatError for damage, UnsupportedError */
export async function openMachine(source: ByteSource, options: Options = {}): Promise<OpenedMachine> {
  const { family } = await familyOf(source);
  return OPENERS[family.name](source, options);
}

/** Bytes where there is no memory are 0xff, as a guest would read them. */
function peekSeen(memory: SeenMemory, at: GuestPhys, length: number, noMemory: (at: GuestPhys) => Error): Peeked {
  const unassigned: AddressRange[] = [];
  const bytes = new Uint8Array(length);
  memory.read(at, bytes);
  for (let start = at; start < at + length; ) {
    const end = Math.min(at + length, (Math.floor(start / PAGE_SIZE) + 1) * PAGE_SIZE);
    if (!memory.isMemory(start)) bytes.fill(NOTHING, start - at, end - at);
    if (!memory.isAssigned(start)) {
      const last = unassigned.at(-1);
      if (last?.end === start) last.end = end;
      else unassigned.push({ start, end });
    }
    start = end;
  }
  if (unassigned[0]?.start === at && unassigned[0].end === at + length) throw noMemory(at);
  return { bytes, unassigned };
}

function spaceOf(memory: SeenMemory, { cpus }: StateView, cpu = 0, cr3?: bigint): AddressSpace {
  if (cpus.missing !== undefined) throw cannotTranslate(cpus.missing);
  const registers = cpus.registers[cpu];
  if (!registers) throw noSuchCpu(cpu, cpus.registers.length);
  const own = { ...registers, cr3: cr3 ?? registers.cr3 };
  const pdptes = pointersOf(memory, own);
  return new AddressSpace(memory, own, {
    a20Enabled: cpus.a20[cpu] ?? true,
    features: cpus.features,
    pdptes,
  });
}

const ACCESSED = 1n << 5n;

/** The pointers of legacy PAE, without the accessed bit that QEMU's emulator sets, which is reserved on a processor. */
function pointersOf(memory: SeenMemory, registers: ControlRegisters): bigint[] | undefined {
  if (!pagingModeOf(registers).startsWith('pae')) return undefined;
  const table = new DataView(new ArrayBuffer(32));
  memory.read(Number(registers.cr3 & 0xffff_ffe0n), new Uint8Array(table.buffer));
  return [0, 8, 16, 24].map((at) => table.getBigUint64(at, true) & ~ACCESSED);
}
