import { EnvironmentError, systemCodeOf } from '../../formats/errors.ts';

/** What a system's code means for who connects or listens, and what helps. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there; is the other side started, and is this its port?',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host cannot be looked up; is the name server reachable?',
  ETIMEDOUT: 'there was no answer in time; is the host up, and does a firewall let this port through?',
  EHOSTUNREACH: 'no way leads to this host; is it up, and the address right?',
  ENETUNREACH: 'no way leads to this network; is the address right?',
  ECONNRESET: 'the other side has closed the connection',
  EPIPE: 'the other side has closed the connection',
  EADDRINUSE: 'another program listens there already; choose another port, or end it',
  EADDRNOTAVAIL: 'this host has no such address; :PORT listens on all that it has',
  EACCES: 'this user may not; ports below 1024 are for root',
};

/** A failure of the network in words that need no knowledge of the system's codes. */
export function networkWords(cause: unknown): string {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return WORDS[code] ?? EnvironmentError.wordsOf(cause) ?? message;
}

/** @param doing such as `connect to there:7000` */
export function networkError(cause: unknown, doing: string): EnvironmentError {
  const error = new EnvironmentError(systemCodeOf(cause), `Cannot ${doing}: ${networkWords(cause)}`);
  error.cause = cause;
  return error;
}

/** An error such as the system would give, for what this side has found out by itself. */
export function systemError(code: 'ETIMEDOUT' | 'ECONNRESET'): Error {
  return errorWithCode(code, WORDS[code]);
}

/** An error such as those of the system and of TLS, which are told apart by their codes. */
export function errorWithCode(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
