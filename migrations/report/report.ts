import type { ProofMode } from '../policy/choose-proof.ts';
import type { RoundVerdict } from '../policy/decide-round.ts';

/** Report of one round. */
export interface RoundReport {
  /** Number of the round, from 0. */
  round: number;
  /** Pages sent; others of the round were equal at the target already. */
  pages: number;
  /** Pages that were equal at the target already. */
  skipped: number;
  /** Bytes of page frames. */
  bytes: number;
  /** Duration of the round in ms. */
  ms: number;
  /** Pages by codec. */
  codecs: Record<string, number>;
  /** Pages that were written meanwhile. */
  dirtied: number;
  /** Bytes per second that were sent. */
  rate: number;
  /** Bytes per second that the guest dirtied. */
  dirtyRate: number;
  /** Expected downtime if the machine had been stopped after this round. */
  downtimeMs: number;
  /** Share of processor time that the guest got, in (0, 1]; less than 1 when it is throttled. */
  guestShare: number;
  /** Whether the machine stood still. */
  paused: boolean;
  /** Decision after the round. */
  verdict: RoundVerdict | 'resend' | 'seal';
  /** One line for people. */
  because: string;
}

/** Comparison of both memories. */
export interface ProofReport {
  /** Kind of the proof, by the time when memory was hashed. */
  mode: ProofMode;
  /** Root of the tree that both sides have, as hexadecimal text. */
  root: string;
  /** Pages that were compared. */
  pages: number;
  /** Time that hashing memory took at the source. */
  ms: number;
  /** Names of the first pages that differed at the target; all such pages were sent again. */
  lost: string[];
  /** Number of all lost pages. */
  lostPages: number;
  /** Comparison after the hand-over, with `audited`, once the target runs the machine; else null. */
  afterwards: LookBack | null;
}

/**
 * Comparison of the source's memory, as it was handed over, with the sealed hashes: with no page lost, both memories
 * were the same.
 */
export interface LookBack {
  /** Time of hashing memory once more, in ms; none of it is downtime. */
  ms: number;
  /** Names of the first pages with writes that never reached the target, where the machine runs without them. */
  lost: string[];
  /** Number of all lost pages. */
  lostPages: number;
  /** Path of the file with the machine as it was here, if pages were lost; else empty. */
  keptIn: string;
}

/** Phases of the downtime in ms, in order; their sum is `downtimeMs`. */
export interface DowntimePhases {
  /** Until the machine stood still, and the dirty pages were known. */
  stop: number;
  /** Until the last page had left. */
  pages: number;
  /**
   * With proof `full`: until this side had hashed its memory; this phase precedes `pages` if hashing finds the dirty
   * pages.
   */
  hash: number;
  /** Until registers, devices, states of pages and the seal had left. */
  rest: number;
  /** Until the target had received and compared all, and had written down that it is ready. */
  ready: number;
  /** Until it was written down here that the machine is handed over. */
  decision: number;
  /** Until the target had written down that it runs the machine, had started it, and this side knew. */
  start: number;
}

/** Report of a migration. */
export interface MigrationReport {
  /** Id of the migration, 32 hexadecimal digits. */
  migration: string;
  /** Name of the machine. */
  machine: string;
  /** Side that has the machine; `undecided`: `resolve` finds out once the target can be asked. */
  outcome: 'handed-over' | 'kept' | 'undecided';
  /** One line for people; of a machine that was handed over, the failure that came after that, if any. */
  because: string;
  /**
   * State of a machine that was kept: as it was before; standing still, as it could not be resumed; or its process has
   * ended. Null if it was not kept.
   */
  stays: 'as-it-was' | 'standing-still' | 'ended' | null;
  /** Code of the error that ended the migration, such as `time-limit`; null if the machine was handed over. */
  code: string | null;
  /** Pages sent in all; a page that was sent twice counts twice. */
  pages: number;
  /** Bytes sent in all, headers included. */
  bytes: number;
  /** From the first link to the end. */
  totalMs: number;
  /** Time from the stop at the source until it knew that the target ran. */
  downtimeMs: number;
  /** Number of stops of the machine: one, and one more for each link that broke during a stop. */
  stops: number;
  /** Phases of the downtime. */
  downtime: DowntimePhases;
  /** The machine was paused before: it stays paused, here or there. */
  paused: boolean;
  /** The target does not run the machine, but keeps it in a file. */
  inFile: boolean;
  /** Attempts to connect, up to the last one that made a link. */
  attempts: number;
  /** Streams side by side. */
  streams: number;
  /** Reports of all rounds, in order. */
  rounds: RoundReport[];
  /** Comparison of both memories; absent if the migration ended before. */
  proof?: ProofReport;
}

/** Events of a migration at the source. */
export type MigrationEvent =
  | {
      event: 'connected';
      /** Number of the attempt to connect that made this link, from 1. */
      attempt: number;
      /** Name of the peer. */
      peer: string;
    }
  | {
      event: 'progress';
      /** Progress of the migration. */
      progress: ProgressFigures;
    }
  | {
      event: 'disks';
      /** Bytes of disks that were copied so far. */
      bytes: number;
      /** Bytes to be copied in all, as known so far: they grow while the guest writes. */
      of: number;
    }
  | {
      event: 'round';
      /** Report of the round. */
      report: RoundReport;
    }
  | {
      event: 'link-lost';
      /** One line for people. */
      message: string;
      /** Time until the next attempt to connect, in ms. */
      retryInMs: number;
    }
  | { event: 'paused' }
  | {
      event: 'resumed';
      /** One line for people. */
      because: string;
    }
  | {
      event: 'lost-pages';
      /** Number of pages. */
      count: number;
      /** Name of the first of these pages. */
      first: string;
    }
  | {
      event: 'proved';
      /** Comparison of both memories. */
      proof: ProofReport;
    }
  | { event: 'handed-over' }
  | {
      event: 'running';
      /** From when the source stood still until it knew that the target had the machine. */
      downtimeMs: number;
    }
  /** In place of `running`: the target has the machine, paused or in a file. */
  | {
      event: 'arrived';
      /** From when the source stood still until it knew that the target had the machine. */
      downtimeMs: number;
    }
  | {
      event: 'looked-back';
      /** Result of the comparison. */
      found: LookBack;
    };

/** Progress of a migration. */
export interface ProgressFigures {
  /** Number of the round, from 0. */
  round: number;
  /** Share of this round that is done, from 0 to 1. */
  ofRound: number;
  /** Share of the whole migration, from 0 to 1; never less than before. */
  total: number;
  /** Bytes sent so far. */
  bytes: number;
  /** Bytes per second that leave. */
  rate: number;
  /** Bytes per second that the guest dirties. */
  dirtyRate: number;
  /** Expected downtime if the machine were stopped now. */
  downtimeMs: number;
  /** Time left as a range: if nothing more gets dirty, and if the guest goes on as before. */
  leftMs: [number, number];
}
