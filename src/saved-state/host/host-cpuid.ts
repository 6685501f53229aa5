import { FormatError } from '../../../formats/errors.ts';
import { FIRST_EXTENDED } from '../../../formats/units/cpu/cpuid.ts';
import type { CpuidPart, CpuidRegisters } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { EXTENDED_STATE } from '../../../formats/units/cpu/extended-state.ts';
import { bitsOfFlags, componentsOfFlags } from './cpu-flags.ts';

/** Leaves of the host that a state keeps, from 0 and from 0x80000000 on. */
const BASIC_LEAVES = 16;
const EXTENDED_LEAVES = 32;

/**
 * CPUID of a host, out of its `/proc/cpuinfo`, or out of a `VBox.log`, which also tells the CPUID that the machine
 * shows its guest. @throws FormatError `no-cpuid` for text that is neither
 */
export function readHostCpuid(text: string, name: string): CpuidPart {
  const found = fromLog(text) ?? fromCpuInfo(text);
  if (!found)
    throw new FormatError(
      'no-cpuid',
      `Cannot tell the host's CPU from ${name}: expected /proc/cpuinfo of an x86 host, a VBox.log with its ` +
        'CPUID dump, or a saved state of VirtualBox',
    );
  return found;
}

function emptyLeaves(count: number): CpuidRegisters[] {
  return Array.from({ length: count }, () => ({ eax: 0, ebx: 0, ecx: 0, edx: 0 }));
}

/** A line of the dump: guest or host; leaf and sub-leaf, unless they are those of the line before; registers. */
const LOG_LINE =
  /\b(Gst|Hst): +(?:([0-9a-f]{8})(?:\/([0-9a-f]{4}))? +)?([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8})\b/g;

function fromLog(text: string): CpuidPart | undefined {
  const part: CpuidPart = {
    guest: [],
    rawBasic: emptyLeaves(BASIC_LEAVES),
    rawExtended: emptyLeaves(EXTENDED_LEAVES),
  };
  let place = { leaf: 0, subLeaf: 0 };
  let hasHost = false;
  for (const [, whose, leaf, subLeaf, ...words] of text.matchAll(LOG_LINE)) {
    if (leaf !== undefined) place = { leaf: hexOf(leaf), subLeaf: hexOf(subLeaf ?? '0') };
    const [eax, ebx, ecx, edx] = words.map(hexOf);
    const registers = { eax, ebx, ecx, edx };
    if (whose === 'Gst') part.guest.push({ ...place, subLeafMask: 0, ...registers, flags: 0 });
    else if (place.subLeaf === 0) hasHost = putRaw(part, place.leaf, registers) || hasHost;
  }
  return hasHost ? part : undefined;
}

function putRaw({ rawBasic, rawExtended }: CpuidPart, leaf: number, registers: CpuidRegisters): boolean {
  const [list, index] = leaf >= FIRST_EXTENDED ? [rawExtended, leaf - FIRST_EXTENDED] : [rawBasic, leaf];
  if (index < list.length) list[index] = registers;
  return index < list.length;
}

function hexOf(text: string): number {
  return Number.parseInt(text, 16);
}

/** The first processor of the file: those of a machine are alike. */
function fromCpuInfo(text: string): CpuidPart | undefined {
  const flags = /^flags\s*:\s*(.+)$/m.exec(text)?.[1].trim().split(/\s+/);
  const vendor = /^vendor_id\s*:\s*(\S{12})\s*$/m.exec(text)?.[1];
  if (!flags || vendor === undefined) return undefined;
  const rawBasic = emptyLeaves(BASIC_LEAVES);
  const rawExtended = emptyLeaves(EXTENDED_LEAVES);
  const word = (at: number) => Buffer.from(vendor, 'latin1').readUInt32LE(at);
  rawBasic[0] = { eax: BASIC_LEAVES - 1, ebx: word(0), ecx: word(8), edx: word(4) };
  const bits = bitsOfFlags(flags);
  Object.assign(rawBasic[1], { ecx: bits.basicEcx, edx: bits.basicEdx });
  Object.assign(rawExtended[1], { ecx: bits.extendedEcx, edx: bits.extendedEdx });
  rawBasic[EXTENDED_STATE].eax = componentsOfFlags(flags);
  return { guest: [], rawBasic, rawExtended };
}
