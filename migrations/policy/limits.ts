/** What the user allows; may be changed while a migration runs: it is looked at before each round and each frame. */
export interface MigrationLimits {
  /** How long the machine may stand still. */
  maxDowntimeMs: number;
  /** How long it may stand still when rounds get no better: as long as others have it for good. */
  stalledDowntimeMs: number;
  /** Bytes per second; `Infinity` for none. */
  bandwidth: number;
  /** When rounds have to have come to an end, from the start; `Infinity` for none. */
  timeLimitMs: number;
  /** What happens then: the machine stays, or it goes however long it takes, or the guest is slowed until it fits. */
  onTimeLimit: 'cancel' | 'force' | 'throttle';
}

export const DEFAULT_LIMITS: Readonly<MigrationLimits> = {
  maxDowntimeMs: 300,
  stalledDowntimeMs: 1500,
  bandwidth: Number.POSITIVE_INFINITY,
  timeLimitMs: 30 * 60_000,
  onTimeLimit: 'cancel',
};
