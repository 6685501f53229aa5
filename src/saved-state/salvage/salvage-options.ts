import type { MachineLayout } from '../layout/machine-layout.ts';
import type { WalkOptions } from '../reading/walk.ts';

/** Content that replaces missing pages. */
export type Fill = 'zero' | 'older';

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
  /** Keep units and pages whose bytes can be read but do not have the CRC that was stored. */
  trust?: boolean;
  /** Places of ROMs and device memory, for states of pgm 6 to 9: names lost pages of ranges that can't be read. */
  layout?: MachineLayout;
  /** Called with the offset reached in the file. */
  onProgress?: (doing: 'reading' | 'checking' | 'writing' | 'verifying', offset: number) => void;
}
