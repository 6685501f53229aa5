/**
 * Cost of an adaptation to the guest. kept: it sees no change; seen: hardware has been added or removed, as by
 * hot-plugging; reset: a device has forgotten its state; risk: the guest may crash; loss: memory or data goes.
 */
export type ChangeClass = 'kept' | 'seen' | 'reset' | 'risk' | 'loss';

/** Classes that nobody gets without asking for them. */
export const CLASSES_TO_ACCEPT = ['risk', 'loss'] as const satisfies readonly ChangeClass[];

/** One thing that an adaptation changes. */
export interface Change {
  class: ChangeClass;
  /** `name/instance`; absent where the change is in several units. */
  unit?: string;
  message: string;
}

/**
 * Losses when a drive is removed. Tried with Debian (Linux 6.1): it goes on with the data that it has in memory, and
 * its writes fail.
 */
export const LOST_WITH_DRIVE = 'commands in flight fail, and data that the guest has not written there yet is lost';
