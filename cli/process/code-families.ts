import { MIGRATION_CODES } from '../../migrations/wire/migration-error.ts';
import { CODE_FAMILIES, type CodeFamily } from '../../src/saved-state/explain/own-codes.ts';

/** All codes of savkit's errors, by class. */
export const ALL_CODE_FAMILIES: readonly CodeFamily[] = [
  ...CODE_FAMILIES,
  { error: 'MigrationError', codes: MIGRATION_CODES, kind: 'migration-stopped' },
];
