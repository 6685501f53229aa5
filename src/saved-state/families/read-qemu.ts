import type { ByteSource } from '../../../formats/files/source.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { verifyQemu } from '../qemu-verify/verify-qemu.ts';
import type { StateView } from '../reading/state-view.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { qemuView } from './qemu-view.ts';

/** Reads a state of QEMU. @throws as `readState` does */
export async function readQemuView(source: ByteSource, options: WalkOptions): Promise<StateView> {
  return qemuView(await readQemuState(source, options));
}

/** Verifies a state of QEMU. @throws as `verifyState` does */
export async function verifyQemuView(source: ByteSource, options: Parameters<typeof verifyQemu>[1]) {
  const { state, ...report } = await verifyQemu(source, options);
  return { ...report, state: state && qemuView(state) };
}
