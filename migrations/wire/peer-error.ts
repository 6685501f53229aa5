import { UnsupportedError } from '../../formats/errors.ts';
import type { Reason } from './messages.ts';

/** The other side does not go on, and says why; it tries no more. */
export class PeerError extends UnsupportedError {
  static refused({ code, message }: Reason): PeerError {
    return new PeerError(code, `The other side refuses: ${message}`);
  }

  static cancelled({ message }: Reason): PeerError {
    return new PeerError('peer-cancelled', `The other side has cancelled: ${message}`);
  }
}
