import { EnvironmentError } from '../../formats/errors.ts';
import { networkWords } from './network-error.ts';

/**
 * The connection is gone, or the peer has fallen silent: trying again with a new one may go on where this one ended.
 */
export class LinkError extends EnvironmentError {
  /** The other side has said that it says nothing more: it has not just gone. */
  isFarewell = false;

  static ended(): LinkError {
    return Object.assign(LinkError.lost(), { isFarewell: true });
  }

  static lost(cause?: unknown): LinkError {
    const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
    // With TLS 1.3 a certificate is refused only after the handshake has ended for the side that showed it.
    const isRefusal = code.startsWith('ERR_SSL') && code.includes('ALERT');
    const words = isRefusal ? `the other side does not trust the certificate of this one (${code})` : undefined;
    const because =
      words ?? (cause instanceof Error ? networkWords(cause) : 'the other side has closed the connection');
    const error = new LinkError('link-lost', `Cannot go on: ${because}`);
    if (cause !== undefined) error.cause = cause;
    return error;
  }

  static silent(ms: number, expected: string): LinkError {
    return new LinkError(
      'peer-silent',
      `Cannot go on: nothing complete has come for ${Math.round(ms / 100) / 10} s, expected ${expected}`,
    );
  }
}
