import type { MachineLayout } from '../layout/machine-layout.ts';
import type { WalkOptions } from '../reading/walk.ts';

export const FILLS = ['zero', 'older'] as const;
/** Content that replaces missing pages. */
export type Fill = (typeof FILLS)[number];

/** Options of a salvage. */
export interface SalvageOptions extends Pick<WalkOptions, 'signal'> {
  /**
   * Content of missing pages: none by default (VirtualBox then refuses the state); zeros; or an older copy where a live
   * save has one, else zeros.
   */
  fill?: Fill;
  /**
   * Flip back a single bit that explains a wrong CRC and makes the state whole, even in a stretch so long that some bit
   * may fit by accident.
   */
  repair?: boolean;
  /** Keep readable units and pages whose bytes do not match the stored CRC. */
  trust?: boolean;
  /** Places of ROMs and device memory, for states of pgm 6 to 9, so that lost pages of unreadable ranges have names. */
  layout?: MachineLayout;
  /** Called with the offset reached in the file. */
  onProgress?: (doing: 'reading' | 'checking' | 'writing' | 'verifying', offset: number) => void;
}
