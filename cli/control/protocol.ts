import { entryOf } from '../../formats/entry-of.ts';
import {
  EnvironmentError,
  FormatError,
  InterruptedError,
  SavkitError,
  UnsupportedError,
  UsageError,
} from '../../formats/errors.ts';
import { MigrationError } from '../../migrations/wire/migration-error.ts';

/*
 * The control socket of a machine that `savkit run` keeps: a Unix socket that only its owner can use (on Windows a
 * named pipe), JSON, a value a line.
 *
 *   → {"id":1,"command":"live-save","path":"/tmp/vm.sav"}
 *   ← {"id":1,"event":"pass","pass":0,…}                     any number of them
 *   ← {"id":1,"ok":true,"result":{…}}                        or "ok":false,"error":{"class","code","message","vboxCode"}
 *
 * While a command is carried out the event `beat` comes once a second: who waits knows by it that the process is alive.
 * A client that asks for nothing is told so, and has to go, when others want to come (`"id":null`).
 *
 * Commands of a connection are carried out one after the other; those of several ones at the same time. Whoever closes
 * the connection cancels what it asked for.
 */

/** A sign of life, and how often it comes, in ms. */
export const BEAT = 'beat';
export const BEAT_MS = 1000;

/** A request is some paths and numbers. */
export const LINE_LIMIT = 64 * 1024;

type FieldKind = 'string' | 'number' | 'boolean' | 'object';

/** A command's fields; a question mark follows the kind of those that may be left out. */
const COMMANDS = {
  status: {},
  stats: { pattern: 'string?' },
  check: {},
  pause: {},
  resume: {},
  reset: {},
  stop: {},
  console: { line: 'string' },
  throttle: { share: 'number' },
  save: { path: 'string', force: 'boolean?' },
  'live-save': { path: 'string', force: 'boolean?', maxDowntimeMs: 'number?', stay: 'boolean?' },
  migrate: { request: 'object' },
  limits: { request: 'object' },
  foretell: { request: 'object' },
  teleport: { request: 'object' },
} as const satisfies Record<string, Record<string, FieldKind | `${FieldKind}?`>>;

export type ControlCommand = keyof typeof COMMANDS;
export const CONTROL_COMMANDS = Object.keys(COMMANDS) as readonly ControlCommand[];

export interface ControlRequest {
  id: number;
  command: ControlCommand;
  path?: string;
  force?: boolean;
  maxDowntimeMs?: number;
  stay?: boolean;
  share?: number;
  pattern?: string;
  line?: string;
  request?: object;
}

export interface ControlError {
  class: string;
  code: string;
  message: string;
  vboxCode?: string;
}

export type ControlReply =
  | { id: number; event: string }
  | { id: number; ok: true; result: object }
  | { id: number; ok: false; error: ControlError };

/** @throws UsageError `bad-request` for all that is not a known command with its fields and no others */
export function parseRequest(line: string): ControlRequest {
  const value = parseObject(line, 'request');
  const { id, command, ...fields } = value;
  if (!Number.isSafeInteger(id)) throw badRequest('it has no id that is a whole number');
  const known =
    typeof command === 'string' && Object.hasOwn(COMMANDS, command) ? COMMANDS[command as ControlCommand] : undefined;
  if (!known)
    throw badRequest(
      `there is no command ${JSON.stringify(command)?.slice(0, 40)}, expected one of ${CONTROL_COMMANDS.join(', ')}`,
    );
  for (const name of Object.keys(fields))
    if (!Object.hasOwn(known, name)) throw badRequest(`${command} takes no ${name.slice(0, 40)}`);
  for (const [name, spec] of Object.entries(known) as [string, string][]) checkField(name, spec, fields[name]);
  return value as unknown as ControlRequest;
}

function checkField(name: string, spec: string, value: unknown): void {
  const isOptional = spec.endsWith('?');
  if (value === undefined && isOptional) return;
  const kind = isOptional ? spec.slice(0, -1) : spec;
  const found = value === null || Array.isArray(value) ? 'other' : typeof value;
  if (found !== kind) throw badRequest(`${name} is no ${kind}`);
  if (kind === 'number' && !(Number.isFinite(value) && (value as number) >= 0)) throw badRequest(`${name} is below 0`);
  if (name === 'path' && ((value as string) === '' || (value as string).includes('\0')))
    throw badRequest('path is no path');
}

/** @throws EnvironmentError `bad-reply` */
export function parseReply(line: string): ControlReply {
  try {
    const value = parseObject(line, 'reply');
    if (
      typeof value.event === 'string' ||
      (value.ok === true && isObject(value.result)) ||
      (value.ok === false && isError(value.error))
    )
      return value as unknown as ControlReply;
  } catch {
    // Said below.
  }
  throw badReply();
}

export function badReply(): EnvironmentError {
  return new EnvironmentError('bad-reply', 'Cannot read the reply: what answers there is no machine of this savkit');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isError(value: unknown): boolean {
  return isObject(value) && typeof value.code === 'string' && typeof value.message === 'string';
}

function parseObject(line: string, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw badRequest(`the ${what} is not JSON`);
  }
  if (!isObject(value)) throw badRequest(`the ${what} is no JSON object`);
  return value;
}

function badRequest(why: string): UsageError {
  return new UsageError('bad-request', `Cannot carry out request: ${why}`);
}

const CLASSES = { EnvironmentError, FormatError, InterruptedError, MigrationError, UnsupportedError, UsageError };

/** An error as it goes over the socket. */
export function errorToWire(error: unknown): ControlError {
  if (!(error instanceof SavkitError))
    return { class: 'SavkitError', code: 'internal', message: `Cannot carry out request: ${String(error)}` };
  const { code, message, vboxCode } = error;
  // A more special class goes as the one that the other side knows: the exit code depends on it.
  const name = Object.entries(CLASSES).find(([, each]) => error instanceof each)?.[0] ?? 'SavkitError';
  return vboxCode === undefined ? { class: name, code, message } : { class: name, code, message, vboxCode };
}

/** The error that the other side had. */
export function errorFromWire(error: ControlError): SavkitError {
  const { class: name, code, message, vboxCode } = error;
  if (name === 'InterruptedError') return new InterruptedError(vboxCode);
  const Class = entryOf(CLASSES as Record<string, typeof SavkitError>, name) ?? SavkitError;
  return new Class(String(code), String(message), {}, vboxCode);
}
