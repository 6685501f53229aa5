import type { ProofReport } from '../report/report.ts';

/** What standing still takes, in ms, as measured. */
export interface ProofFigures {
  /** Hashing of all memory. */
  hashMs: number;
  /** All else but pages. */
  otherMs: number;
  /** How long the machine may stand still. */
  allowedMs: number;
}

/** `full` where there is time to hash all memory while the machine stands still, see PROTOCOL.md; a pure function. */
export function chooseProof({ hashMs, otherMs, allowedMs }: ProofFigures): ProofReport['mode'] {
  return otherMs + hashMs <= allowedMs ? 'full' : 'audited';
}
