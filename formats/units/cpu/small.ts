import { u32, u64 } from '../../binary/kinds.ts';
import { defineStruct } from '../../binary/struct.ts';
import { codecOf } from '../codec/codec.ts';
import { x32 } from '../codec/kinds.ts';
import { type UnitRow, versions } from '../codec/unit-row.ts';

const hwaccm = defineStruct('Unit HWACCM, version 6', 'device-units.md', {
  patchArea: { kind: u64, doc: 'address of the guest memory in which accesses to the TPR are patched; 0: none' },
  patchAreaSize: { kind: u64, doc: 'size of the patch area in bytes' },
  patchAreaUsed: { kind: u32, doc: 'bytes of the patch area that are in use' },
  patches: { kind: u32, doc: 'instructions that are patched' },
});

const gcm = defineStruct('Unit GCM, version 1', 'units-compared.md', {
  fixers: { kind: x32, doc: 'fixes for the guest, as bits; compared with the machine' },
});

/** Patched TPR accesses of a guest (HWACCM), and fixes for bugs of old guests (GCM). */
export const smallCpuRows: readonly UnitRow[] = [
  { unit: 'HWACCM', instance: 0, versions: versions(6), codec: codecOf(hwaccm) },
  { unit: 'GCM', instance: 0, versions: versions(1), codec: codecOf(gcm) },
];
