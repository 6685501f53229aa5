/**
 * `full`: both sides hashed all memory while the machine stood still: it is the same. `audited`: they did so once while
 * it ran; that each write since then was sent rests on the dirty tracking until the look back shows it.
 */
export type ProofMode = 'full' | 'audited';

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
export function chooseProof({ hashMs, otherMs, allowedMs }: ProofFigures): ProofMode {
  return otherMs + hashMs <= allowedMs ? 'full' : 'audited';
}
