import { entryOf } from '../../formats/entry-of.ts';
import {
  EnvironmentError,
  FormatError,
  InterruptedError,
  SavkitError,
  UnsupportedError,
  UsageError,
} from '../../formats/errors.ts';
import { readJson } from '../../formats/values/json-text.ts';
import {
  checkShape as check,
  count,
  flag,
  object,
  oneKind,
  optional,
  record,
  type ShapeValue,
  text,
  withDefault,
} from '../../formats/values/shape.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';
import { type ControlCommand, REQUESTS, type RequestOf } from './requests.ts';

/*
 * The control socket of a machine that `savkit run` keeps: a Unix socket that only its owner can use (on Windows a
 * named pipe), JSON, a value a line.
 *
 *   → {"id":1,"command":"live-save","path":"/tmp/vm.sav"}
 *   ← {"id":1,"event":"pass","pass":0,…}   any number of them
 *   ← {"id":1,"ok":true,"result":{…}}      or "ok":false,"error":{"class","code","message","vboxCode"}
 *
 * While a command is carried out, the event `beat` comes once a second, as a sign of life. An idle client is
 * disconnected, with a message (`"id":null`), when others want to connect.
 *
 * Commands of one connection are carried out one after the other; those of several connections at the same time.
 * Closing a connection cancels its commands. So does {"command":"cancel"} for the command under way. The reply to
 * that command is then an error of class InterruptedError if it was cancelled, else its usual reply.
 */

/** Name of the event for signs of life. */
export const BEAT = 'beat';
export const BEAT_MS = 1000;
/** Command that cancels the command under way; only the cancelled command gets a reply. */
const CANCEL = 'cancel';
export const CANCEL_LINE = JSON.stringify({ command: CANCEL });

/** Longest request in bytes; a request is some paths and numbers. */
export const LINE_LIMIT = 64 * 1024;

const words = text(65_536);

/** A request: a command with its fields. */
export type ControlRequest = { [C in ControlCommand]: { id: number; command: C } & RequestOf<C> }[ControlCommand];

const errorShape = record({ class: withDefault(words, ''), code: words, message: words, vboxCode: optional(words) });
export type ControlError = ShapeValue<typeof errorShape>;

/** A reply of a machine; contents of results and events depend on the command. */
export type ControlReply =
  | { event: string; data: unknown }
  | { ok: true; result: unknown }
  | { ok: false; error: ControlError };

/** @throws UsageError `bad-request` for anything but a known command with exactly its fields */
export function parseRequest(line: string): ControlRequest {
  const { id, command, ...fields } = readJson(line, object, badRequest);
  return {
    id: check(id, count, () => badRequest('id is not a whole number')),
    ...check({ command, ...fields }, oneKind('command', REQUESTS), badRequest),
  };
}

/** Whether a line cancels the command under way. */
export function isCancel(line: string): boolean {
  try {
    return readJson(line, object, badRequest).command === CANCEL;
  } catch {
    return false;
  }
}

/** @throws EnvironmentError `bad-reply` */
export function parseReply(line: string): ControlReply {
  const { event, ok, result, error, id: _, ...data } = readJson(line, object, badReply);
  if (event !== undefined) return { event: check(event, words, badReply), data };
  if (check(ok, flag, badReply)) return { ok: true, result };
  return { ok: false, error: check(error, errorShape, badReply) };
}

/** @param why the fault in the reply */
export function badReply(why: string): EnvironmentError {
  return new EnvironmentError('bad-reply', `Cannot read the reply: ${why}; no machine of this savkit answers there`);
}

function badRequest(why: string): UsageError {
  return new UsageError('bad-request', `Cannot carry out request: ${why}`);
}

const CLASSES = { EnvironmentError, FormatError, InterruptedError, MigrationError, UnsupportedError, UsageError };

/** The form of an error on the socket. */
export function errorToWire(error: unknown): ControlError {
  if (!(error instanceof SavkitError))
    return {
      class: 'SavkitError',
      code: 'internal',
      message: `Cannot carry out request: ${String(error)}`,
      vboxCode: undefined,
    };
  const { code, message, vboxCode } = error;
  // A subclass is sent as its nearest class in the protocol, since the exit code depends on it.
  const name = Object.entries(CLASSES).find(([, each]) => error instanceof each)?.[0] ?? 'SavkitError';
  return { class: name, code, message, vboxCode };
}

/** The error that the other side's reply tells. */
export function errorFromWire(error: ControlError): SavkitError {
  const { class: name, code, message, vboxCode } = error;
  if (name === 'InterruptedError') return new InterruptedError(vboxCode);
  const Class = entryOf(CLASSES as Record<string, typeof SavkitError>, name) ?? SavkitError;
  return new Class(code, message, {}, vboxCode);
}
