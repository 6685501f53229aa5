import { EnvironmentError } from '../../formats/errors.ts';
import { networkWords } from './network-error.ts';

/** The connection is lost, or the peer has fallen silent: a new connection may continue from there. */
export class LinkError extends EnvironmentError {
  /** The other side has ended the connection in an orderly way. */
  isFarewell = false;

  static ended(): LinkError {
    return Object.assign(LinkError.lost(), { isFarewell: true });
  }

  static lost(cause?: unknown): LinkError {
    const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
    // With TLS 1.3, a refusal of this side's certificate comes after its handshake has ended.
    const isRefusal = code.startsWith('ERR_SSL') && code.includes('ALERT');
    const words = isRefusal ? `the other side does not trust the certificate of this one (${code})` : undefined;
    const because =
      words ?? (cause instanceof Error ? networkWords(cause) : 'the other side has closed the connection');
    const error = new LinkError('link-lost', `Cannot go on: ${because}`);
    if (cause !== undefined) error.cause = cause;
    return error;
  }

  static givenUp(): LinkError {
    return new LinkError('link-lost', 'Cannot go on: the other side has given this link up');
  }

  static silent(ms: number, expected: string): LinkError {
    return new LinkError(
      'peer-silent',
      `Cannot go on: no complete message has come for ${Math.round(ms / 100) / 10} s, expected ${expected}`,
    );
  }
}
