import {
  EnvironmentError,
  InterruptedError,
  NotAStateError,
  SavkitError,
  UsageError,
} from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { QemuState } from '../qemu/qemu-state.ts';
import { readQemuState } from '../qemu/read-qemu-state.ts';
import { type Finding, Findings } from '../reading/findings.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { checkCompleteness } from './check-completeness.ts';
import { checkConsistency } from './check-consistency.ts';
import { checkHoles } from './check-holes.ts';
import { checkImage } from './check-image.ts';
import { checkStructure } from './check-structure.ts';

/** The four levels of checks, each based on the one before. Source: qemu-stream.md 9. */
export const LEVELS = ['structure', 'completeness', 'consistency', 'integrity'] as const;
/** One of the four levels. */
export type CheckLevel = (typeof LEVELS)[number];
/** `unknown`: reading did not get so far. Integrity is always unknown, as no checksum covers a state. */
export type CheckLevelVerdict = 'good' | 'bad' | 'unknown';

/** See `StateVerdict`; no checksum proves a state of QEMU whole. */
export type QemuVerdict = 'no-damage-found' | 'damaged' | 'unsupported' | 'not-a-state';

export interface QemuReport {
  verdict: QemuVerdict;
  /** QEMU's own message for the first error; absent if QEMU would load the state, or has no message. */
  qemuSays?: string;
  findings: Finding[];
  droppedFindings: number;
  levels: Record<CheckLevel, CheckLevelVerdict>;
  state?: QemuState;
}

/** Codes of the reader's findings about completeness; all others are about structure. */
const LOSSES = new Set(['missing-section', 'twice']);

/** Makes all checks. @throws EnvironmentError, InterruptedError, UsageError; damage is in the report */
export async function verifyQemu(source: ByteSource, options: WalkOptions = {}): Promise<QemuReport> {
  const findings = new Findings();
  const levels: QemuReport['levels'] = {
    structure: 'bad',
    completeness: 'unknown',
    consistency: 'unknown',
    integrity: 'unknown',
  };
  let state: QemuState | undefined;
  try {
    state = await readQemuState(source, { ...options, deep: true, onDamage: (error) => findings.addError(error) });
    checkStructure(state, findings);
    const structural = findings.errors.filter(({ code }) => !LOSSES.has(code)).length;
    levels.structure = structural === 0 ? 'good' : 'bad';
    checkCompleteness(state, findings);
    const lacking = findings.errors.length - structural;
    levels.completeness = lacking > 0 ? 'bad' : state.ended && state.description ? 'good' : 'unknown';
    checkConsistency(state, findings);
    await checkHoles(source, state, findings, options.signal);
    await checkImage(source, state, findings, options.signal);
    const odd = findings.errors.length - structural - lacking;
    levels.consistency = odd > 0 ? 'bad' : state.ended ? 'good' : 'unknown';
    if (isEndUntold(state)) findings.add(UNTOLD_END);
  } catch (error) {
    if (!(error instanceof SavkitError) || NOT_OF_THE_FILE.some((kind) => error instanceof kind)) throw error;
    findings.addError(error);
    return { verdict: failureOf(error, findings), ...rest(findings), levels };
  }
  const verdict = findings.errors.length === 0 ? 'no-damage-found' : failureOf(undefined, findings);
  return { verdict, ...rest(findings), levels, state };
}

/**
 * Whether a stream may be cut off unnoticed: of machine types before 2.3, or before 2.4 without a whole description.
 */
function isEndUntold({ ended, description, devices }: QemuState): boolean {
  return ended && !description && devices.length > 0 && !devices.some(({ footer }) => footer);
}

/** Finding for a stream of which it is not known whether it is whole. */
export const UNTOLD_END: Finding = {
  severity: 'error',
  code: 'no-description',
  message:
    'Cannot tell whether the stream is cut off: its machine type writes no marks after sections, and there is no ' +
    'description; the last byte may end the stream, or be part of a section',
  place: {},
  unsupported: true,
};

const NOT_OF_THE_FILE = [EnvironmentError, InterruptedError, UsageError];

function failureOf(error: SavkitError | undefined, { errors }: Findings): QemuVerdict {
  if (error instanceof NotAStateError) return 'not-a-state';
  return errors.every(({ unsupported }) => unsupported) ? 'unsupported' : 'damaged';
}

function rest(findings: Findings): Pick<QemuReport, 'findings' | 'droppedFindings' | 'qemuSays'> {
  const says = findings.errors.find(({ qemuSays }) => qemuSays !== undefined)?.qemuSays;
  return {
    findings: findings.list,
    droppedFindings: findings.dropped,
    qemuSays: says,
  };
}
