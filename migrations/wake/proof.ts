import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { text } from '../../formats/values/shape.ts';
import type { GuestImage } from '../../src/wake/guest-image.ts';
import { expectedRegisters, readRegisters } from '../../src/wake/shown-registers.ts';
import type { CpuState } from '../../src/wake/units/cpu-state.ts';
import type { WakingQemu } from './waking-qemu.ts';

/** Comparison of a stopped QEMU with the state, before the first instruction. */
export interface WakeProof {
  /** Nothing differs. */
  holds: boolean;
  pages: number;
  registers: number;
  /** The first differences, by name. */
  differences: string[];
}

/** Bytes that QEMU writes to a file at once. */
const PIECE = 64 * MIB;
/** Maximum number of differences that are listed. */
const SHOWN = 20;
const TEXT_LIMIT = MIB;

export interface ProofOptions {
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Compares all RAM, ROMs as the guest sees them, and the registers. */
export async function proveWoken(
  qemu: WakingQemu,
  image: GuestImage,
  cpus: readonly CpuState[],
  options: ProofOptions = {},
): Promise<WakeProof> {
  const differences: string[] = [];
  const pages = await comparePages(qemu, image, differences, options);
  const registers = await compareRegisters(qemu, cpus, differences);
  return { holds: differences.length === 0, pages, registers, differences: shortened(differences) };
}

function shortened(differences: readonly string[]): string[] {
  const rest = differences.length - SHOWN;
  return rest > 0 ? [...differences.slice(0, SHOWN), `${rest} more`] : [...differences];
}

async function comparePages(
  qemu: WakingQemu,
  image: GuestImage,
  differences: string[],
  { signal, onProgress }: ProofOptions,
): Promise<number> {
  const expected = new Uint8Array(MIB);
  const found = new Uint8Array(MIB);
  let pages = 0;
  for (const { gcPhys, size } of image.comparable) {
    for (let done = 0; done < size; done += PIECE) {
      const length = Math.min(PIECE, size - done);
      await qemu.withMemory(gcPhys + done, length, async (memory) => {
        for (let at = 0; at < length; at += MIB) {
          if (signal?.aborted) throw new InterruptedError();
          const own = expected.subarray(0, Math.min(MIB, length - at));
          const theirs = found.subarray(0, own.length);
          await image.read(own, gcPhys + done + at);
          if ((await memory.read(theirs, at)) < theirs.length)
            throw new EnvironmentError('io', 'Cannot prove: QEMU has written less memory than it was asked for');
          if (Buffer.compare(own, theirs) !== 0) nameDifferences(own, theirs, gcPhys + done + at, differences);
          pages += own.length / PAGE_SIZE;
          onProgress?.(pages * PAGE_SIZE, image.ramSize);
        }
      });
    }
  }
  return pages;
}

function nameDifferences(own: Uint8Array, theirs: Uint8Array, gcPhys: number, differences: string[]): void {
  for (let at = 0; at < own.length; at += PAGE_SIZE)
    if (Buffer.compare(own.subarray(at, at + PAGE_SIZE), theirs.subarray(at, at + PAGE_SIZE)) !== 0)
      differences.push(`page 0x${(gcPhys + at).toString(16)}`);
}

async function compareRegisters(qemu: WakingQemu, cpus: readonly CpuState[], differences: string[]): Promise<number> {
  let registers = 0;
  for (const [i, cpu] of cpus.entries()) {
    const args = { 'command-line': 'info registers', 'cpu-index': i };
    const shown = readRegisters(await qemu.qmp.ask('human-monitor-command', text(TEXT_LIMIT), args));
    for (const [name, value] of expectedRegisters(cpu)) {
      const found = shown.get(name);
      registers++;
      if (found === undefined) differences.push(`CPU ${i} ${name}: QEMU does not show it`);
      else if (found !== BigInt.asUintN(widthOf(name, shown), value))
        differences.push(`CPU ${i} ${name}: 0x${found.toString(16)}, expected 0x${value.toString(16)}`);
    }
  }
  return registers;
}

/** Bits of a register that QEMU shows: for a CPU outside of 64-bit code the lower half. */
function widthOf(name: string, shown: ReadonlyMap<string, bigint>): number {
  return shown.has('isWide') || name.startsWith('XMM') || name === 'EFER' ? 128 : 32;
}
