import { UsageError } from '../../formats/errors.ts';
import type { CpuRegisters } from '../../formats/units/cpu/cpum.ts';
import type { GuestContext } from '../../formats/units/cpu/cpum-layouts.ts';
import { EFER_LMA, EFER_LME } from '../paging/modes.ts';
import { registersNote } from '../saved-state/reading/registers-note.ts';
import { type Answer, linesOf } from './answer.ts';
import { digits8, digits16 } from './numbers.ts';
import type { ConsoleSession } from './session.ts';

/** Bit of a code segment's attributes: the segment holds 64-bit code. */
const LONG_CODE = 1 << 13;

/** `info cpumguest`: registers of all CPUs, as VirtualBox prints them. `regs` prints the selected CPU's. */
export function infoCpumGuest(session: ConsoleSession): Answer {
  const { cpum } = session.machine;
  if (!cpum) throw withoutRegisters(session);
  const shown = cpum.cpus.map((cpu, i) => [`Guest CPUM (VCPU ${i}) state: `, ...registerLines(cpu)]);
  return linesOf(shown.flat(), cpum.cpus.map(rowOf));
}

export function selectedRegisters(session: ConsoleSession): Answer {
  const { machine, cpu } = session;
  const registers = machine.cpum?.cpus[cpu];
  if (!registers) throw withoutRegisters(session);
  return linesOf(registerLines(registers), [rowOf(registers, cpu)]);
}

function withoutRegisters({ machine, cpu }: ConsoleSession): UsageError {
  return new UsageError(
    'no-registers',
    `Cannot show registers: ${registersNote(machine.state) ?? `the state has no CPU ${cpu}`}`,
  );
}

function registerLines(cpu: CpuRegisters): string[] {
  if (!cpu.context)
    return [
      `cr0=${digits8(cpu.cr0)} cr2=${digits16(cpu.cr2)} cr3=${digits16(cpu.cr3)} cr4=${digits8(cpu.cr4)} ` +
        `efer=${digits8(cpu.efer)}`,
    ];
  const isLong =
    (cpu.efer & (EFER_LME | EFER_LMA)) === (EFER_LME | EFER_LMA) && (cpu.context.cs.attributes & LONG_CODE) !== 0;
  return [...(isLong ? longLines(cpu.context) : narrowLines(cpu.context)), ...commonLines(cpu.context, isLong)];
}

function longLines(c: GuestContext): string[] {
  const r = digits16;
  return [
    `rax=${r(c.rax)} rbx=${r(c.rbx)} rcx=${r(c.rcx)} rdx=${r(c.rdx)}`,
    `rsi=${r(c.rsi)} rdi=${r(c.rdi)} r8 =${r(c.r8)} r9 =${r(c.r9)}`,
    `r10=${r(c.r10)} r11=${r(c.r11)} r12=${r(c.r12)} r13=${r(c.r13)}`,
    `r14=${r(c.r14)} r15=${r(c.r15)}`,
    `rip=${r(c.rip)} rsp=${r(c.rsp)} rbp=${r(c.rbp)} ${flagsText(c)}`,
  ];
}

function narrowLines(c: GuestContext): string[] {
  const r = digits8;
  return [
    `eax=${r(c.rax)} ebx=${r(c.rbx)} ecx=${r(c.rcx)} edx=${r(c.rdx)} esi=${r(c.rsi)} edi=${r(c.rdi)}`,
    `eip=${r(c.rip)} esp=${r(c.rsp)} ebp=${r(c.rbp)} ${flagsText(c)}`,
  ];
}

function commonLines(c: GuestContext, isLong: boolean): string[] {
  const sel = ({ selector }: { selector: number }) => selector.toString(16).padStart(4, '0');
  const limit = c.gdtr.limit.toString(16).padStart(4, '0');
  return [
    `cs=${sel(c.cs)} ss=${sel(c.ss)} ds=${sel(c.ds)} es=${sel(c.es)} fs=${sel(c.fs)} gs=${sel(c.gs)} ` +
      `tr=${sel(c.tr)}      eflags=${digits8(c.rflags)}`,
    `cr0=${digits8(c.cr0)} cr2=${digits8(c.cr2)} cr3=${digits8(c.cr3)} cr4=${digits8(c.cr4)} ` +
      `gdtr=${isLong ? digits16(c.gdtr.base) : digits8(c.gdtr.base)}:${limit} ldtr=${sel(c.ldtr)}`,
  ];
}

/** Flags with words for both values, and flags that are shown only when set; in the debugger's order. */
const FLAG_WORDS: readonly [bit: bigint, set: string, clear: string][] = [
  [1n << 20n, 'vip', ''],
  [1n << 19n, 'vif', ''],
  [1n << 18n, 'ac', ''],
  [1n << 17n, 'vm', ''],
  [1n << 16n, 'rf', ''],
  [1n << 14n, 'nt', ''],
  [1n << 11n, 'ov', 'nv'],
  [1n << 10n, 'dn', 'up'],
  [1n << 9n, 'ei', 'di'],
  [1n << 8n, 'tf', ''],
  [1n << 7n, 'ng', 'pl'],
  [1n << 6n, 'zr', 'nz'],
  [1n << 4n, 'ac', 'na'],
  [1n << 2n, 'po', 'pe'],
  [1n << 0n, 'cy', 'nc'],
];

function flagsText({ rflags }: GuestContext): string {
  const iopl = `iopl=${(rflags >> 12n) & 3n}`;
  const words = FLAG_WORDS.map(([bit, set, clear]) => ((rflags & bit) !== 0n ? set : clear)).filter(
    (word) => word !== '',
  );
  return `${iopl}  ${iopl} ${words.join(' ')}`;
}

function rowOf(cpu: CpuRegisters, index: number): object {
  const inHex = (values: Record<string, bigint>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, `0x${value.toString(16)}`]));
  const { cr0, cr2, cr3, cr4, efer, context } = cpu;
  const general: Record<string, bigint> = {};
  for (const [name, value] of Object.entries(context ?? {}))
    if (/^r(\w\w|\d|1\d|flags)$/.test(name) && typeof value === 'bigint') general[name] = value;
  return { cpu: index, ...inHex(general), ...inHex({ cr0, cr2, cr3, cr4, efer }) };
}
