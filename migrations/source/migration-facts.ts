import type { SourceMachine } from '../machine/machine.ts';
import type { PageSpace } from '../machine/page-space.ts';
import type { Zstd } from '../pages/zstd.ts';
import { areSameLimits, completeLimits, DEFAULT_LIMITS, type MigrationLimits } from '../policy/limits.ts';
import type { MigrateOptions } from './options.ts';

/** What stays as it is in the course of a migration. */
export interface MigrationFacts {
  readonly machine: SourceMachine;
  readonly options: MigrateOptions;
  readonly zstd: Zstd | undefined;
  readonly space: PageSpace;
  /** When it began, as `clock` tells. */
  readonly start: number;
}

/** Limits, which may be changed while the migration is under way. */
export class LimitsOfNow {
  readonly #options: MigrateOptions;
  #given: Partial<MigrationLimits> = {};
  #limits: MigrationLimits = DEFAULT_LIMITS;

  constructor(options: MigrateOptions) {
    this.#options = options;
  }

  /** Asked for with each frame, so that only changes are looked at. @throws UsageError `bad-limit` */
  get now(): MigrationLimits {
    const given = this.#options.limits ?? {};
    if (!areSameLimits(given, this.#given)) {
      this.#limits = completeLimits(given);
      this.#given = { ...given };
    }
    return this.#limits;
  }
}
