import { expect, it } from 'vitest';
import type { Qcow2Image, Qcow2Snapshot } from '../../../formats/qemu/containers/qcow2.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { Findings } from '../reading/findings.ts';
import { checkImage } from './check-image.ts';

it('ends when it is told to, although tables claim terabytes of clusters that are not there', async () => {
  const zeros = { name: 'zeros', size: 2 ** 30, seekable: true, read: async (to: Uint8Array) => to.length };
  const counts = { offset: 0, size: 0, order: 4 };
  const image = { version: 3, clusterBits: 16, extendedL2: false, diskSize: 0, counts, snapshots: [] };
  const snapshot = { name: 'one', diskSize: 0, stateBytes: 2 ** 40, l1Offset: 65_536, l1Entries: 2 ** 11 };
  const container = {
    kind: 'qcow2',
    image: image as Partial<Qcow2Image> as Qcow2Image,
    snapshot: snapshot as Partial<Qcow2Snapshot> as Qcow2Snapshot,
  } as const;
  const state = { container } as Partial<QemuState> as QemuState;
  const check = checkImage({ ...zeros, close: async () => {} }, state, new Findings(), AbortSignal.abort());
  await expect(check).rejects.toMatchObject({ code: 'interrupted' });
});
