import type { Finding } from '../reading/findings.ts';

/** A difference, with the unit at which the loader meets it: its index in the file, −1 before all units. */
export interface Difference {
  at: number;
  finding: Finding;
}
