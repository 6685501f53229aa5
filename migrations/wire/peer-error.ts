import type { Reason } from './messages.ts';
import { MIGRATION_CODES, type MigrationCode, MigrationError } from './migration-error.ts';

/** The other side has given up, and has sent a reason. */
export class PeerError extends MigrationError {
  static refused({ code, message }: Reason): PeerError {
    return new PeerError(isKnown(code) ? code : 'peer-refused', `The other side refuses: ${message}`);
  }

  static cancelled({ message }: Reason): PeerError {
    return new PeerError('peer-cancelled', `The other side has cancelled: ${message}`);
  }
}

function isKnown(code: string): code is MigrationCode {
  return Object.hasOwn(MIGRATION_CODES, code);
}
