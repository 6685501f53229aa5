import { UsageError } from '../../formats/errors.ts';

/** Limits set by the user. They may change while a migration runs, and are read before each round and each frame. */
export interface MigrationLimits {
  /** Longest downtime. */
  maxDowntimeMs: number;
  /** Longest downtime once rounds get no better. */
  stalledDowntimeMs: number;
  /** Maximum number of bytes per second; `Infinity` for no limit. */
  bandwidth: number;
  /** Longest time of all rounds, from the start; `Infinity` for no limit. */
  timeLimitMs: number;
  /**
   * Action at the time limit: the machine stays, moves with any downtime, or is slowed down until the downtime fits.
   */
  onTimeLimit: 'cancel' | 'force' | 'throttle';
}

/** Default limits. */
export const DEFAULT_LIMITS: Readonly<MigrationLimits> = {
  maxDowntimeMs: 300,
  stalledDowntimeMs: 1500,
  bandwidth: Number.POSITIVE_INFINITY,
  timeLimitMs: 30 * 60_000,
  onTimeLimit: 'cancel',
};

const AT_TIME_LIMIT: readonly string[] = ['cancel', 'force', 'throttle'];

/**
 * Completes the given limits with defaults.
 * @throws UsageError `bad-limit` for a value that is no limit; without bandwidth, a migration would never end
 */
export function completeLimits(given: Partial<MigrationLimits>): MigrationLimits {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const isNumber = typeof value === 'number' && value >= 0 && (name !== 'bandwidth' || value > 0);
    const fits = name === 'onTimeLimit' ? AT_TIME_LIMIT.includes(String(value)) : name in DEFAULT_LIMITS && isNumber;
    if (!fits)
      throw new UsageError(
        'bad-limit',
        `Cannot migrate within limit ${name}: it is ${value}, expected ${expectedOf(name)}`,
      );
  }
  const isGiven = ([, value]: [string, unknown]) => value !== undefined;
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(Object.entries(given).filter(isGiven)) };
}

const NAMES = Object.keys(DEFAULT_LIMITS) as (keyof MigrationLimits)[];

export function areSameLimits(some: Partial<MigrationLimits>, others: Partial<MigrationLimits>): boolean {
  return NAMES.every((name) => some[name] === others[name]);
}

function expectedOf(name: string): string {
  if (name === 'onTimeLimit') return AT_TIME_LIMIT.join(', ');
  if (name === 'bandwidth') return 'more than 0 bytes per second';
  return name in DEFAULT_LIMITS ? '0 or more' : `one of ${Object.keys(DEFAULT_LIMITS).join(', ')}`;
}
