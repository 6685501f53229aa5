/**
 * `full`: both sides hashed all memory while the machine stood still: it is the same. `compared`: the source compared
 * all of its memory with what was sent while the machine stood still; the target had hashed all of its own before, and
 * each page that came after that. `audited`: both hashed all memory once while the machine ran; that each write since
 * then was sent rests on the dirty tracking until the look back shows it.
 */
export const PROOF_MODES = ['full', 'compared', 'audited'] as const;
/** How the machine is proved to have arrived as it left, see `PROOF_MODES`. */
export type ProofMode = (typeof PROOF_MODES)[number];

/** What standing still takes, in ms, as measured. */
export interface ProofFigures {
  /** Hashing of all memory. */
  hashMs: number;
  /** All else but pages. */
  otherMs: number;
  /** How long the machine may stand still. */
  allowedMs: number;
}

/** Whether there is time to hash all memory while the machine stands still, see PROTOCOL.md; a pure function. */
export function fullProofFits({ hashMs, otherMs, allowedMs }: ProofFigures): boolean {
  return otherMs + hashMs <= allowedMs;
}
