import { EnvironmentError, systemCodeOf } from '../../formats/errors.ts';

/** Meanings of the system's codes for people who connect or listen, with hints. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there; is the other side started, and is this its port?',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name of the host cannot be looked up; is the name server reachable?',
  ETIMEDOUT: 'there was no answer in time; is the host up, and does a firewall let this port through?',
  EHOSTUNREACH: 'no way leads to this host; is it up, and the address right?',
  ENETUNREACH: 'no way leads to this network; is the address right?',
  ECONNRESET: 'the other side has closed the connection',
  EPIPE: 'the other side has closed the connection',
  EADDRINUSE: 'another program listens there already; choose another port, or end that program',
  EADDRNOTAVAIL: 'this host has no such address; with :PORT alone, savkit listens on all addresses of this host',
  EACCES: 'the system does not allow this user to do so; ports below 1024 are for root',
};

/** A failure of the network in plain words. */
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

/** An error like the system's, for a failure that savkit has detected itself. */
export function systemError(code: 'ETIMEDOUT' | 'ECONNRESET'): Error {
  return errorWithCode(code, WORDS[code]);
}

/** An error with a code, like those of the system and of TLS. */
export function errorWithCode(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}
