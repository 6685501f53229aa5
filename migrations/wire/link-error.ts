import { EnvironmentError } from '../../formats/errors.ts';

/** The connection is gone, or the peer has fallen silent: trying again with a new one may go on where this one ended. */
export class LinkError extends EnvironmentError {
  static lost(cause?: unknown): LinkError {
    const because = cause instanceof Error ? cause.message : 'the other side has closed the connection';
    const error = new LinkError('link-lost', `Cannot go on: ${because}`);
    if (cause !== undefined) error.cause = cause;
    return error;
  }

  static silent(ms: number, expected: string): LinkError {
    return new LinkError('peer-silent', `Cannot go on: nothing complete has come for ${Math.round(ms / 100) / 10} s, expected ${expected}`);
  }
}
