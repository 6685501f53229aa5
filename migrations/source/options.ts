import type { Duplex } from 'node:stream';
import type { DecisionLog } from '../hand-over/decision-record.ts';
import { PROOF_MODES } from '../policy/choose-proof.ts';
import type { MigrationLimits } from '../policy/limits.ts';
import type { MigrationEvent } from '../report/report.ts';
import type { TimeOuts } from '../wire/limits.ts';

export const COMPRESSION_CHOICES = ['auto', 'always', 'never'] as const;
/** Whether pages are compressed; `auto`: as the speed of the link suggests. */
export type CompressionChoice = (typeof COMPRESSION_CHOICES)[number];
export const PROOF_CHOICES = ['auto', ...PROOF_MODES] as const;
/** The proof to be made; `auto`: the best one that fits into the downtime. */
export type ProofChoice = (typeof PROOF_CHOICES)[number];

/** Options of a migration. */
export interface MigrateOptions {
  /** Opens a connection to the target; called again after a broken link, and for each further stream. */
  connect: (signal?: AbortSignal) => Promise<Duplex>;
  /** 16 bytes as hexadecimal text, never used before. */
  migration: string;
  /** Log in which each decision is written down before it is acted on. */
  log: DecisionLog;
  /** Limits; missing ones have their defaults. Read before each round and frame, so they may change at any time. */
  limits?: Partial<MigrationLimits>;
  /** Streams side by side, 1 (the default) to 16. */
  streams?: number;
  /** Default: `auto`. */
  compression?: CompressionChoice;
  /**
   * `auto` (the default): `full` where hashing all memory fits into the downtime allowed, as measured; PROTOCOL.md
   * tells the guarantee of each.
   */
  proof?: ProofChoice;
  /** Time for connecting again after the link broke, in ms; default: 60,000. */
  resumeWithinMs?: number;
  /** Waits between attempts to connect again, in ms; the last one repeats. */
  retryAfterMs?: readonly number[];
  /** Time for each kind of answer. */
  timeOuts?: TimeOuts;
  /** Cancels, unless the machine was handed over already. */
  signal?: AbortSignal;
  /**
   * Ends the queries to the target when the link broke after the decision; without it they go on until there is an
   * answer.
   */
  stopAsking?: AbortSignal;
  /**
   * Saves the machine as it is here. @returns the path. Called after the hand-over if the target turns out to lack some
   * of the machine's writes. An error goes into the report.
   */
  keepAsItWas?: () => Promise<string>;
  /** Called for each step of the way. */
  onEvent?: (event: MigrationEvent) => void;
}
