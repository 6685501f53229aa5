import { anything, checkShape, integer, object, record, type Shape, text } from '../../formats/values/shape.ts';
import { MigrationError } from '../wire/migration-error.ts';

// Parsers for messages of QEMU's machine protocol (QMP).

const part = integer(0, 9999);
const greetingShape = record({
  QMP: record({ version: record({ qemu: record({ major: part, minor: part, micro: part }) }) }),
});

const eventShape = record({
  event: text(256),
  timestamp: record({
    seconds: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    microseconds: integer(-1, 999_999),
  }),
  data: anything,
});
const refusalShape = record({ class: text(256), desc: text(65_536) });

/** An event of QEMU. */
export interface QmpEvent {
  /** Name, such as `STOP`. */
  name: string;
  /** Time in ms since 1970, by the clock of QEMU's host. */
  at: number;
  /** Data of the event, unchecked. */
  data: unknown;
}

/** The answer to a command. */
export interface QmpAnswer {
  /** Number of the command. */
  id: number;
  /** Result of the command, unchecked. */
  value?: unknown;
  /** QEMU's reason for not carrying the command out. */
  refusal?: string;
}

/** The error for a message that is not QMP. @param why completes "Cannot talk to QEMU: …" */
export function badQmp(why: string, field = ''): MigrationError {
  return new MigrationError('bad-qmp', `Cannot talk to QEMU: ${why}`, field === '' ? {} : { field });
}

function check<T>(message: unknown, shape: Shape<T>): T {
  return checkShape(message, shape, (why, field) => badQmp(`in a message, ${why}`, field));
}

/** The version of the QEMU that greets, such as `10.0.2`. @throws MigrationError `bad-qmp` */
export function versionOf(greeting: unknown): string {
  const { major, minor, micro } = check(greeting, greetingShape).QMP.version.qemu;
  return `${major}.${minor}.${micro}`;
}

/** @returns undefined for a message that is no event @throws MigrationError `bad-qmp` */
export function readEvent(message: unknown): QmpEvent | undefined {
  if (!('event' in check(message, object))) return undefined;
  const { event, timestamp, data } = check(message, eventShape);
  return { name: event, at: timestamp.seconds * 1000 + timestamp.microseconds / 1000, data };
}

/** @param lastId number of the last command that was sent @throws MigrationError `bad-qmp` */
export function readAnswer(message: unknown, lastId: number): QmpAnswer {
  const answer = check(message, object);
  const { id } = check(answer, record({ id: integer(0, lastId) }));
  if ('error' in answer) return { id, refusal: check(answer, record({ error: refusalShape })).error.desc };
  if ('return' in answer) return { id, value: answer.return };
  throw badQmp('a message is neither an answer nor an event');
}
