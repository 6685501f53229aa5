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

it('reads each table once, however many entries lead to it', async () => {
  const [cluster, clusters] = [65_536, 2 ** 28];
  let bytesRead = 0;
  const source = {
    name: 'bomb',
    size: 2 ** 30,
    seekable: true,
    // Each entry leads to one table in cluster 9, whose entries lead nowhere.
    read: async (to: Uint8Array, at: number) => {
      bytesRead += to.length;
      to.fill(0);
      if (at >= 4 * cluster && at < 9 * cluster) for (let i = 5; i < to.length; i += 8) to[i] = 9;
      return to.length;
    },
  };
  const counts = { offset: 0, size: 0, order: 4 };
  const image = { version: 3, clusterBits: 16, extendedL2: false, diskSize: 0, tableOffset: 0, counts, snapshots: [] };
  const l1Entries = clusters / 8192;
  const snapshot = { name: 'one', diskSize: 0, stateBytes: clusters * cluster, l1Offset: 4 * cluster, l1Entries };
  const container = {
    kind: 'qcow2',
    image: image as Partial<Qcow2Image> as Qcow2Image,
    snapshot: snapshot as Partial<Qcow2Snapshot> as Qcow2Snapshot,
  } as const;
  const findings = new Findings();
  await checkImage({ ...source, close: async () => {} }, { container } as Partial<QemuState> as QemuState, findings);
  expect(findings.list.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(`^${l1Entries - 1} clusters of snapshot "one", .*used for something else`),
  );
  expect(bytesRead).toBeLessThan(8 * cluster);
});
