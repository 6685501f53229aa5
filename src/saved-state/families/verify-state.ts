import type { ByteSource } from '../../../formats/files/source.ts';
import type { CheckLevel, CheckLevelVerdict } from '../qemu-verify/verify-qemu.ts';
import type { StateFamily } from '../reading/families.ts';
import type { Finding } from '../reading/findings.ts';
import type { StateView } from '../reading/state-view.ts';
import { type VerifyOptions, verify } from '../verify/verify.ts';
import { familyOf } from './read-state.ts';
import { virtualboxView } from './virtualbox-view.ts';

/**
 * `whole`: checksums prove that the file is as it was written. `no-damage-found`: no fault can be seen, in a file
 * without checksums.
 */
export type StateVerdict = 'whole' | 'no-damage-found' | 'damaged' | 'unsupported' | 'not-a-state';

/** Report of the checks of a saved state of any family. */
export interface StateReport {
  /** The answer, in a word. */
  verdict: StateVerdict;
  /** The code with which VirtualBox's loader would refuse the file; absent if it would not, or has no code. */
  vboxCode?: string;
  /** The message with which QEMU or libvirt would refuse the file; absent if they would not, or have no message. */
  qemuSays?: string;
  /** In file order; `unit` in `place` names the unit or section. */
  findings: Finding[];
  /** Findings that were not kept, beyond the first thousand. */
  droppedFindings: number;
  /** Of families without checksums: findings by level. */
  levels?: Record<CheckLevel, CheckLevelVerdict>;
  /** The readable parts of the state; absent when not even the header could be read. */
  state?: StateView;
}

/** Options of verifying. */
export type VerifyStateOptions = Pick<VerifyOptions, 'onProgress' | 'signal' | 'threads'>;

const VERIFIERS: Record<
  StateFamily['name'],
  (source: ByteSource, options: VerifyStateOptions) => Promise<StateReport>
> = {
  virtualbox: async (source, options) => {
    const { state, ...report } = await verify(source, options);
    return { ...report, state: state && virtualboxView(state) };
  },
  // QEMU's readers are loaded where they are needed, as in `readState`.
  qemu: async (source, { threads: _, ...options }) => (await import('./read-qemu.ts')).verifyQemuView(source, options),
};

/**
 * Makes all checks, for a state of any family. @throws EnvironmentError, InterruptedError; UsageError for a disk image
 * whose snapshot is to be chosen; damage is in the report
 */
export async function verifyState(whole: ByteSource, options: VerifyStateOptions = {}): Promise<StateReport> {
  const { family, source } = await familyOf(whole);
  return VERIFIERS[family.name](source, options);
}
