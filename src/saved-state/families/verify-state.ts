import type { ByteSource } from '../../../formats/files/source.ts';
import { type Level, type LevelVerdict, verifyQemu } from '../qemu/verify-qemu.ts';
import type { Family } from '../reading/families.ts';
import type { Finding } from '../reading/findings.ts';
import type { StateView } from '../reading/state-view.ts';
import { type VerifyOptions, verify } from '../verify/verify.ts';
import { qemuView } from './qemu-view.ts';
import { familyOf } from './read-state.ts';
import { virtualboxView } from './virtualbox-view.ts';

/**
 * `whole`: checksums prove that the file is what was written. `no-damage-found`: nothing is wrong that can be seen in a
 * file without checksums.
 */
export type StateVerdict = 'whole' | 'no-damage-found' | 'damaged' | 'unsupported' | 'not-a-state';

/** What the checks of a saved state say, whoever wrote it. */
export interface StateReport {
  verdict: StateVerdict;
  /** The code with which VirtualBox's loader would refuse the file; absent where it would not, or has none. */
  vboxCode?: string;
  /** The message with which QEMU or libvirt would refuse the file; absent where they would not, or have none. */
  qemuSays?: string;
  /** In file order; `unit` in `place` says which unit or section it is about. */
  findings: Finding[];
  /** Findings that were not kept, beyond the first thousand. */
  droppedFindings: number;
  /** Of families without checksums: what was found level by level. */
  levels?: Record<Level, LevelVerdict>;
  /** What could be read; absent when not even the header could. */
  state?: StateView;
}

type Options = Pick<VerifyOptions, 'onProgress' | 'signal' | 'threads'>;

const VERIFIERS: Record<Family['name'], (source: ByteSource, options: Options) => Promise<StateReport>> = {
  virtualbox: async (source, options) => {
    const { state, ...report } = await verify(source, options);
    return { ...report, ...(state ? { state: virtualboxView(state) } : {}) };
  },
  qemu: async (source, { threads: _, ...options }) => {
    const { state, ...report } = await verifyQemu(source, options);
    return { ...report, ...(state ? { state: qemuView(state) } : {}) };
  },
};

/** Makes every check that there is. @throws EnvironmentError, InterruptedError; damage is in the report */
export async function verifyState(whole: ByteSource, options: Options = {}): Promise<StateReport> {
  const { family, source } = await familyOf(whole);
  return VERIFIERS[family.name](source, options);
}
