import { MIGRATION_CODES } from '../../migrations/wire/migration-error.ts';
import { CODE_FAMILIES, type CodeFamily } from '../../src/saved-state/explain/own-codes.ts';
import { NOTICE_CODES, REFUSAL_CODES } from '../../src/wake/wake-codes.ts';

/** All codes of savkit: codes of errors, by class, and codes of findings. */
export const ALL_CODE_FAMILIES: readonly CodeFamily[] = [
  ...CODE_FAMILIES,
  { error: 'Refusal', codes: REFUSAL_CODES, kind: 'not-wakeable' },
  { error: 'Notice', codes: NOTICE_CODES, kind: 'information' },
  { error: 'MigrationError', codes: MIGRATION_CODES, kind: 'migration-stopped' },
];
