import type { MachineLayout } from '../layout/machine-layout.ts';
import type { WalkOptions } from '../reading/walk.ts';

/** What missing pages become. */
export type Fill = 'zero' | 'older';

/** How a state is salvaged, and who is told. */
export interface SalvageOptions extends Pick<WalkOptions, 'signal'> {
  /**
   * What missing pages become: nothing (VirtualBox then refuses the state), zeros, or an older copy where a live save
   * has one and else zeros.
   */
  fill?: Fill;
  /**
   * Flip back a single bit that explains a wrong CRC and makes the state whole, also where in so long a stretch some
   * bit may fit by accident.
   */
  repair?: boolean;
  /** Keep units and pages whose bytes can be read but do not have the CRC that was stored. */
  trust?: boolean;
  /** Where ROMs and device memory are, for states of pgm 6 to 9: names what is lost of ranges that can't be read. */
  layout?: MachineLayout;
  /** Called with the offset reached in the file. */
  onProgress?: (doing: 'reading' | 'checking' | 'writing' | 'verifying', offset: number) => void;
}
