import { expect, it } from 'vitest';
import { FOUR_GIB, MIB } from '../../../formats/sizes.ts';
import { checkCompleteness } from '../qemu-verify/check-completeness.ts';
import { Findings } from '../reading/findings.ts';
import { pluggedMemory } from './plugged-memory.ts';
import type { QemuState } from './qemu-state.ts';

/** As QEMU 7.2.22 saved it: a block of 256 MiB, units of 2 MiB, of which the guest has two here. */
const FIELDS =
  '00000001000000000000000010000000000000000020000000000000000000001000000000000000004000000000000008000000';
const BEFORE = '10000009401003040000000010000000100000095010040400000000200000001000000960140204';
const device = { name: '0000:00:01.0/virtio-mem', body: Buffer.from(`${BEFORE}${FIELDS}${'00'.repeat(16)}`, 'hex') };
const block = { name: '0000:00:01.0/vm0', size: 256 * MIB };

const of = (...devices: (typeof device)[]) => ({ devices, otherSections: [] });

it('memory of a virtio-mem device has the address and the pages that the device tells', () => {
  expect(pluggedMemory(block, of(device))).toEqual({ gcPhys: FOUR_GIB, pages: 1024 });
  expect(pluggedMemory({ ...block, name: '0000:00:02.0/vm0' }, of(device))).toBeUndefined();
  expect(pluggedMemory({ ...block, size: 128 * MIB }, of(device))).toBeUndefined();
  expect(pluggedMemory({ ...block, name: 'pc.ram' }, of(device))).toBeUndefined();
  expect(pluggedMemory(block, of({ ...device, body: device.body.subarray(0, 60) }))).toBeUndefined();
});

it('QEMU 10 tells these in a section of their own before the pages of RAM', () => {
  const fields = '0000000100000000000000001000000000000000002000000000000000000000004000000000000000000000';
  const early = { name: '0000:00:01.0/virtio-mem-device-early', body: Buffer.from(fields, 'hex') };
  expect(pluggedMemory(block, { devices: [device], otherSections: [early] })).toEqual({
    gcPhys: FOUR_GIB,
    pages: 1024,
  });
});

it.each([
  [1024, []],
  [1023, ['pages-missing']],
])('%i of its 1024 pages that the guest has are in the state: %j', (pages, codes) => {
  const findings = new Findings();
  const summary = { ...block, pages, totalPages: 65536, isMapped: false, leftOut: false };
  const state = { blocks: [summary], ...of(device), memoryRead: true, ended: false };
  checkCompleteness(state as unknown as QemuState, findings);
  expect(findings.list.map(({ code }) => code)).toEqual(codes);
});
