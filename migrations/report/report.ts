import type { ProofMode } from '../policy/choose-proof.ts';
import type { Verdict } from '../policy/decide-round.ts';

/** What one round has come to. */
export interface RoundReport {
  round: number;
  /** Pages sent; others of the round were equal at the target already. */
  pages: number;
  skipped: number;
  /** Bytes of page frames. */
  bytes: number;
  ms: number;
  /** Pages by codec. */
  codecs: Record<string, number>;
  /** Pages that were written meanwhile. */
  dirtied: number;
  /** Bytes per second: what left, and what the guest dirtied. */
  rate: number;
  dirtyRate: number;
  /** How long the machine would have stood still if it had been stopped now. */
  downtimeMs: number;
  guestShare: number;
  /** The machine stood still. */
  paused: boolean;
  verdict: Verdict | 'resend' | 'seal';
  because: string;
}

export interface ProofReport {
  mode: ProofMode;
  /** Root of the tree that both sides have, as hexadecimal text. */
  root: string;
  pages: number;
  /** Time that hashing memory took at the source. */
  ms: number;
  /** Pages that were not what they had to be, by name, the first ones; all of them were sent again. */
  lost: string[];
  lostPages: number;
  /** With `audited`, once the target runs the machine; else null. */
  afterwards: LookBack | null;
}

/**
 * What the source's memory, which stands as it was handed over, shows against what was sealed: with no page lost, both
 * memories were the same.
 */
export interface LookBack {
  /** Time that hashing it again took, in ms; none of it is downtime. */
  ms: number;
  /** Pages with a write that never got to the target, by name, the first ones: the machine runs there without them. */
  lost: string[];
  lostPages: number;
  /** Where the machine was kept as it was, when pages were lost; else empty. */
  keptIn: string;
}

/** What a machine stood still for, one after the other, in ms; all together are `downtimeMs`. */
export interface DowntimePhases {
  /** Until nothing ran any more, and it was known what was dirty. */
  stop: number;
  /** Until the last page had left. */
  pages: number;
  /** With proof `full`: until this side had hashed its memory. */
  hash: number;
  /** Until registers, devices and states of pages had left, and the seal. */
  rest: number;
  /** Until the target had all of it, had compared, and had written down that it is ready. */
  ready: number;
  /** Until it was written down here that the machine is handed over. */
  decision: number;
  /** Until the target had written down that it runs it, and ran it, and this side knew. */
  start: number;
}

export interface MigrationReport {
  migration: string;
  machine: string;
  outcome: 'handed-over' | 'kept' | 'undecided';
  because: string;
  /** Of the error that ended it, such as `time-limit`; null where it was handed over. */
  code: string | null;
  pages: number;
  /** Bytes sent in all, headers included. */
  bytes: number;
  totalMs: number;
  /** From when the source stood still until it knew that the target ran. */
  downtimeMs: number;
  /** How often it was stopped: once, and once more for each link that broke while it stood still. */
  stops: number;
  downtime: DowntimePhases;
  /** Somebody had paused the machine before: it stays paused, here or there. */
  paused: boolean;
  /** The target does not run it, but keeps it in a file. */
  inFile: boolean;
  attempts: number;
  streams: number;
  rounds: RoundReport[];
  proof: ProofReport | undefined;
}

export type MigrationEvent =
  | { event: 'connected'; attempt: number; peer: string }
  | { event: 'progress'; progress: ProgressFigures }
  | { event: 'round'; report: RoundReport }
  | { event: 'link-lost'; message: string; retryInMs: number }
  | { event: 'paused' }
  | { event: 'resumed'; because: string }
  | { event: 'lost-pages'; count: number; first: string }
  | { event: 'proved'; proof: ProofReport }
  | { event: 'handed-over' }
  | { event: 'running'; downtimeMs: number }
  /** In place of `running`: the target has the machine, paused or in a file. */
  | { event: 'arrived'; downtimeMs: number }
  | { event: 'looked-back'; found: LookBack };

export interface ProgressFigures {
  round: number;
  /** Of this round, and of the whole migration: from 0 to 1, never less than before. */
  ofRound: number;
  total: number;
  bytes: number;
  rate: number;
  dirtyRate: number;
  downtimeMs: number;
  /** Time left as a range: if nothing more gets dirty, and if it goes on as it does. */
  leftMs: [number, number];
}
