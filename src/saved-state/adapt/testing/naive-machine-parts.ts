import { NaiveElf } from '../../../testing/naive-elf.ts';
import { naiveUnits } from '../../../testing/naive-units.ts';

// Registers and devices of a state of 7.2, and registers of a core dump, found the naive way: offsets by hand, nothing
// shared with the codecs that they judge (docs/spec/units-compared.md, docs/spec/core-dump.md section 1.5).

/** Registers by name, of each CPU. */
export type NaiveRegisters = Record<string, bigint>[];

const CONTEXT = 532;
const FXSAVE = 428;
const PAE_POINTERS = 32;
const USED_AND_CHANGED = 8;
/** Components of the extended state that are written, by bit of the mask; each between markers. */
const COMPONENTS: readonly [bit: bigint, size: number][] = [
  [2n, 256],
  [3n, 64],
  [4n, 16],
  [6n, 512],
  [7n, 1024],
];

const CPU_NOTE = 0xb01;

const IN_STATE: Record<string, number> = {
  ...{ rdi: 4, rsi: 12, rbp: 20, rax: 28, rbx: 36, rdx: 44, rcx: 52, rsp: 60, rflags: 68, rip: 76 },
  ...{ r8: 84, r9: 92, r10: 100, r11: 108, r12: 116, r13: 124, r14: 132, r15: 140 },
  ...{ cr0: 280, cr2: 288, cr3: 296, cr4: 304, efer: 404 },
};
const IN_CORE: Record<string, number> = {
  ...{ rax: 0, rbx: 8, rcx: 16, rdx: 24, rsi: 32, rdi: 40, r8: 48, r9: 56, r10: 64, r11: 72, r12: 80, r13: 88 },
  ...{ r14: 96, r15: 104, rip: 112, rsp: 120, rbp: 128, rflags: 136 },
  ...{ cr0: 288, cr2: 296, cr3: 304, cr4: 312, efer: 488 },
};

/** Registers that cpum 24 holds. */
export function registersOfState(file: Buffer): NaiveRegisters {
  const payload = unitOf(file, 'cpum');
  if (!payload) throw new Error('no unit cpum');
  const cpus: NaiveRegisters = [];
  const msrSize = payload.readUInt32LE(6);
  let at = 10;
  for (let i = 0; i < payload.readUInt32LE(2); i++) {
    const context = at + CONTEXT;
    cpus.push(registersAt(payload, context, IN_STATE));
    const mask = payload.readBigUInt64LE(context + 520);
    at = context + CONTEXT + FXSAVE + (mask === 0n ? 0 : 16);
    for (const [bit, size] of COMPONENTS) if ((mask >> bit) & 1n) at += size + 8;
    at += PAE_POINTERS + USED_AND_CHANGED + msrSize;
  }
  return cpus;
}

/** Registers that a core dump of VirtualBox holds. */
export function registersOfCore(core: Buffer): NaiveRegisters {
  const notes = new NaiveElf(core).notes.filter(({ type }) => type === CPU_NOTE);
  return notes.map(({ contents }) => registersAt(contents, 0, IN_CORE));
}

function registersAt(bytes: Buffer, start: number, places: Record<string, number>) {
  return Object.fromEntries(Object.entries(places).map(([name, at]) => [name, bytes.readBigUInt64LE(start + at)]));
}

/** Vendor and device (vendor in the low half) of each device on the first PCI bus, by devfn. */
export function pciIds(file: Buffer): Map<number, number> {
  const ids = new Map<number, number>();
  const piix3 = unitOf(file, 'pci');
  if (piix3) {
    for (let at = 65; piix3.readUInt32LE(at) !== 0xffffffff; at += 4 + 256 + 4 + 63)
      ids.set(piix3.readUInt32LE(at), piix3.readUInt32LE(at + 4));
    return ids;
  }
  const ich9 = unitOf(file, 'ich9pci');
  for (let at = 40; ich9 && ich9.readUInt32LE(at) !== 0xffffffff; ) {
    ids.set(ich9.readUInt32LE(at), ich9.readUInt32LE(at + 8));
    const afterConfig = at + 8 + ich9.readUInt32LE(at + 4);
    at = afterConfig + 16 + ich9.readUInt32LE(afterConfig + 12) + 63;
  }
  return ids;
}

function unitOf(file: Buffer, name: string): Buffer | undefined {
  return naiveUnits(file).find((unit) => unit.name === name)?.payload;
}
