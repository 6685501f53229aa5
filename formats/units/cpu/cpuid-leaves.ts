import { Cursor, OutOfBytes } from '../../binary/cursor.ts';
import { u32 } from '../../binary/kinds.ts';
import { defineStruct, type StructValue } from '../../binary/struct.ts';
import { findCpuidPart } from './cpuid.ts';

const registers = {
  eax: { kind: u32, doc: '' },
  ebx: { kind: u32, doc: '' },
  ecx: { kind: u32, doc: '' },
  edx: { kind: u32, doc: '' },
};

export const guestLeaf = defineStruct('CPUID leaf, cpum versions 15–24', 'pgm-unit.md 10.2', {
  leaf: { kind: u32, doc: '' },
  subLeaf: { kind: u32, doc: '' },
  subLeafMask: { kind: u32, doc: '' },
  ...registers,
  flags: { kind: u32, doc: '' },
});
export const rawLeaf = defineStruct('CPUID leaf of the host, cpum versions 11–24', 'pgm-unit.md 10.2', registers);

/** Answer of CPUID in four registers of 32 bits. */
export type CpuidRegisters = StructValue<typeof rawLeaf>;

/** CPUID of the guest, and of the host that wrote the state. */
export interface CpuidPart {
  /** Leaves that the guest sees. */
  guest: StructValue<typeof guestLeaf>[];
  /** Leaves of the host from 0 on, sub-leaf 0. */
  rawBasic: CpuidRegisters[];
  /** Leaves of the host from 0x80000000 on, sub-leaf 0. */
  rawExtended: CpuidRegisters[];
}

const DEFAULT_LEAF_SIZE = 16;
const MAX_LEAVES = 4096;

/** The CPUID part of versions 15 and later; undefined where there is none. */
export function readCpuidPart(payload: Uint8Array, version: number): CpuidPart | undefined {
  const at = findCpuidPart(payload, version);
  if (at === undefined) return undefined;
  const cursor = new Cursor(payload, at);
  const list = <T>(read: (cursor: Cursor) => T) =>
    Array.from({ length: Math.min(cursor.u32(), MAX_LEAVES) }, () => read(cursor));
  try {
    cursor.take(4);
    const guest = list(guestLeaf.read);
    cursor.take(DEFAULT_LEAF_SIZE);
    return { guest, rawBasic: list(rawLeaf.read), rawExtended: list(rawLeaf.read) };
  } catch (error) {
    if (error instanceof OutOfBytes) return undefined;
    throw error;
  }
}
