import type { SourceMachine } from '../machine/machine.ts';
import type { PageSpace } from '../machine/page-space.ts';
import type { Zstd } from '../pages/zstd.ts';
import { areSameLimits, completeLimits, DEFAULT_LIMITS, type MigrationLimits } from '../policy/limits.ts';
import type { MigrateOptions } from './options.ts';

/** Facts that do not change during a migration. */
export interface MigrationFacts {
  readonly machine: SourceMachine;
  readonly options: MigrateOptions;
  readonly zstd: Zstd | undefined;
  readonly space: PageSpace;
  /** Start of the migration, by `clock`. */
  readonly start: number;
}

/** Limits, which may change during the migration. */
export class LimitsOfNow {
  readonly #options: MigrateOptions;
  #given: Partial<MigrationLimits> = {};
  #limits: MigrationLimits = DEFAULT_LIMITS;

  constructor(options: MigrateOptions) {
    this.#options = options;
  }

  /** Read for each frame, so limits are checked only when they have changed. @throws UsageError `bad-limit` */
  get now(): MigrationLimits {
    const given = this.#options.limits ?? {};
    if (!areSameLimits(given, this.#given)) {
      this.#limits = completeLimits(given);
      this.#given = { ...given };
    }
    return this.#limits;
  }
}
