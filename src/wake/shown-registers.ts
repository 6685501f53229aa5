import { Cursor } from '../../formats/binary/cursor.ts';
import { GENERAL_REGISTERS } from '../../formats/qemu/cpu.ts';
import { fpuImage, type Selector } from '../../formats/units/cpu/cpum-layouts.ts';
import type { CpuState } from './units/cpu-state.ts';

/** Segment registers as QEMU's monitor names them. */
const SEGMENTS = { ES: 'es', CS: 'cs', SS: 'ss', DS: 'ds', FS: 'fs', GS: 'gs', LDT: 'ldtr', TR: 'tr' } as const;
const PARTS = ['selector', 'base', 'limit'] as const;

/** Registers of a CPU by their names in QEMU's monitor. */
export function expectedRegisters({ context, fxsave }: CpuState): Map<string, bigint> {
  const { fcw, fsw, mxcsr, xmm } = fpuImage.read(new Cursor(fxsave));
  const is64 = isWide(context);
  const general = is64 ? GENERAL_REGISTERS : GENERAL_REGISTERS.slice(0, 8);
  const registers = new Map<string, bigint>(general.map((name) => [name.toUpperCase(), context[name]]));
  registers.set('RIP', context.rip);
  registers.set('RFL', (context.rflags & 0x3f7fd5n) | 2n);
  for (const [name, register] of Object.entries(SEGMENTS)) addSegment(registers, name, context[register]);
  for (const [name, { base, limit }] of [['GDT', context.gdtr] as const, ['IDT', context.idtr] as const]) {
    registers.set(`${name} base`, base);
    registers.set(`${name} limit`, BigInt(limit));
  }
  for (const name of ['cr0', 'cr2', 'cr3', 'cr4'] as const) registers.set(name.toUpperCase(), context[name]);
  for (const [i, n] of [0, 1, 2, 3, 6, 7].entries()) registers.set(`DR${n}`, context.dr[i]);
  registers.set('EFER', context.efer);
  registers.set('FCW', BigInt(fcw));
  registers.set('FSW', BigInt(fsw));
  registers.set('MXCSR', BigInt(mxcsr));
  const shown = is64 ? xmm : xmm.slice(0, 8);
  for (const [n, bytes] of shown.entries()) registers.set(`XMM${String(n).padStart(2, '0')}`, littleEndian(bytes));
  return registers;
}

function addSegment(registers: Map<string, bigint>, name: string, segment: Selector): void {
  for (const part of PARTS) registers.set(`${name} ${part}`, BigInt(segment[part]));
}

const LONG = 0x2000;

/** Whether a CPU executes 64-bit code; otherwise QEMU does not show all of its registers. */
function isWide({ efer, cs }: CpuState['context']): boolean {
  return (efer & 0x400n) !== 0n && (cs.attributes & LONG) !== 0;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

/** Names of registers in 16-bit or 32-bit code, by their names in 64-bit code. */
const NARROW: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['AX', 'BX', 'CX', 'DX', 'SI', 'DI', 'BP', 'SP', 'IP'].map((name) => [`E${name}`, `R${name}`])),
  EFL: 'RFL',
};

/** Parses `info registers` of QEMU's monitor; `isWide` is set if it shows 64-bit registers. */
export function readRegisters(text: string): Map<string, bigint> {
  const registers = new Map<string, bigint>();
  if (/\bRAX=/.test(text)) registers.set('isWide', 1n);
  for (const [, name, value] of text.matchAll(/\b([A-Z][A-Z0-9]{1,4}) *= *([0-9a-f]+(?: [0-9a-f]{4,})*)/g)) {
    const words = value.split(' ');
    if (name in SEGMENTS)
      for (const [i, part] of PARTS.entries()) registers.set(`${name} ${part}`, BigInt(`0x${words[i] ?? 0}`));
    else if (name === 'GDT' || name === 'IDT') {
      registers.set(`${name} base`, BigInt(`0x${words[0]}`));
      registers.set(`${name} limit`, BigInt(`0x${words[1] ?? 0}`));
    } else if (/^[XYZ]MM/.test(name)) {
      const wide = words.join('');
      registers.set(`XMM${name.slice(3)}`, BigInt(`0x${wide.slice(-32)}`));
    } else registers.set(NARROW[name] ?? name, BigInt(`0x${words[0]}`));
  }
  return registers;
}
