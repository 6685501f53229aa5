import { STRUCT_BEGIN, STRUCT_END } from '../../formats/binary/markers.ts';
import { Writer } from '../../formats/binary/writer.ts';

import { CONTEXT_END, CONTEXT_SIZE, fpuState } from '../../formats/units/cpu/cpum-layouts.ts';

/** cpum of VirtualBox 7.0.10, the last one whose layout is known from sources. */
export const RESET_CPUM_VERSION = 22;
/** Offset of CR0 in a context (pgm-unit.md 10.2). */
const CR0 = 280;
/** CR0 after a reset, in real mode: only ET (extension type) is set. */
const CR0_RESET = 0x10;
/** CPUID: PSE, PAE, PGE, PSE-36; and NX, long mode. */
const LEAF_1_EDX = (1 << 3) | (1 << 6) | (1 << 13) | (1 << 17);
const LEAF_EXTENDED_1_EDX = (1 << 20) | (1 << 29);
const ENTRY_WORDS = 8;
/** The four page-directory pointers of PAE. */
const NO_POINTERS = new Uint8Array(4 * 8);

/** The payload of a unit cpum with VCPUs as after a reset, for machines that were never on. */
export function resetCpum(cpus: number): Uint8Array {
  const writer = new Writer(undefined, 2048 * cpus);
  writer.u32(cpus);
  writer.u32(0);
  const context = emptyStruct(CONTEXT_SIZE);
  new DataView(context.buffer).setUint32(CR0, CR0_RESET, true);
  for (let cpu = 0; cpu < cpus; cpu++) {
    writer.bytes(emptyStruct(CONTEXT_SIZE));
    writer.bytes(context);
    writer.bytes(emptyStruct(fpuState.size()));
    writer.bytes(NO_POINTERS);
    // No parts in use, and no changed ones.
    writer.u32(0);
    writer.u32(0);
  }
  putCpuid(writer);
  return writer.view();
}

function emptyStruct(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, STRUCT_BEGIN, true);
  view.setUint32(size === CONTEXT_SIZE ? CONTEXT_END : size - 4, STRUCT_END, true);
  return bytes;
}

/** Writes three leaves, a default one of zeros, and no raw leaves of a host. */
function putCpuid(writer: Writer): void {
  const leaves: [number, number][] = [
    [0, 0],
    [1, LEAF_1_EDX],
    [0x80000001, LEAF_EXTENDED_1_EDX],
  ];
  writer.u32(ENTRY_WORDS * 4);
  writer.u32(leaves.length);
  for (const [leaf, edx] of leaves) for (const word of [leaf, 0, 0, 0, 0, 0, edx, 0]) writer.u32(word);
  for (let i = 0; i < 4 + 2; i++) writer.u32(0);
}
