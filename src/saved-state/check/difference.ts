import type { Finding } from '../reading/findings.ts';

/** A difference, with the index in the file of the unit at which the loader meets it; −1 before all units. */
export interface Difference {
  at: number;
  finding: Finding;
}
