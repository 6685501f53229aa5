/**
 * `full`: both sides hashed all memory while the machine stood still, and agree. `compared`: while the machine stood
 * still, the source compared all of its memory with the sent pages; the target had hashed all of its own before, and
 * each page that arrived later. `audited`: both hashed all memory once while the machine ran; for writes since then,
 * the dirty tracking is trusted until the source's memory is looked through afterwards.
 */
export const PROOF_MODES = ['full', 'compared', 'audited'] as const;
/** Proof that the machine arrived unchanged; see `PROOF_MODES`. */
export type ProofMode = (typeof PROOF_MODES)[number];

/** Parts of the downtime, in ms, as measured. */
export interface ProofFigures {
  /** Hashing of all memory. */
  hashMs: number;
  /** All else except sending pages. */
  otherMs: number;
  /** Longest time for which the machine may stand still. */
  allowedMs: number;
}

/** Whether there is time to hash all memory while the machine stands still, see PROTOCOL.md; a pure function. */
export function fullProofFits({ hashMs, otherMs, allowedMs }: ProofFigures): boolean {
  return otherMs + hashMs <= allowedMs;
}
