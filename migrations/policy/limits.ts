import { UsageError } from '../../formats/errors.ts';

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

/** Limits of a migration that is told none. */
export const DEFAULT_LIMITS: Readonly<MigrationLimits> = {
  maxDowntimeMs: 300,
  stalledDowntimeMs: 1500,
  bandwidth: Number.POSITIVE_INFINITY,
  timeLimitMs: 30 * 60_000,
  onTimeLimit: 'cancel',
};

const AT_TIME_LIMIT: readonly string[] = ['cancel', 'force', 'throttle'];

/**
 * All limits: those given, and the defaults for what is not.
 * @throws UsageError `bad-limit` for what is no limit: a bandwidth of nothing would never end
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
