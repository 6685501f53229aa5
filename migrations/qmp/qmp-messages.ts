import { EnvironmentError } from '../../formats/errors.ts';
import { integer, record, type ShapeValue, text } from '../wire/shape.ts';

// Messages of QEMU's machine protocol, as they come.

const version = integer(0, 9999);
export const greetingShape = record({
  QMP: record({ version: record({ qemu: record({ major: version, minor: version, micro: version }) }) }),
});

const anything = (value: unknown) => value;
const eventShape = record({
  event: text(256),
  timestamp: record({
    seconds: integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    microseconds: integer(-1, 999_999),
  }),
  data: anything,
});
const refusalShape = record({ class: text(256), desc: text(65_536) });

/** Something that has happened in QEMU. */
export interface QmpEvent {
  /** Its name: `STOP`. */
  name: string;
  /** When, in ms since 1970 as QEMU's host tells. */
  at: number;
  /** What comes with it, unchecked. */
  data: unknown;
}

/** @returns undefined for what is no event @throws FormatError */
export function readEvent(message: unknown): QmpEvent | undefined {
  if (!isRecord(message) || !('event' in message)) return undefined;
  const { event, timestamp, data }: ShapeValue<typeof eventShape> = eventShape(message, '');
  return { name: event, at: timestamp.seconds * 1000 + timestamp.microseconds / 1000, data };
}

/** The answer to a command: what it returns, or why it was not carried out. @throws FormatError, EnvironmentError */
export function readAnswer(message: unknown): { id: unknown; value?: unknown; refusal?: string } {
  if (isRecord(message)) {
    if ('error' in message) return { id: message.id, refusal: refusalShape(message.error, 'error').desc };
    if ('return' in message) return { id: message.id, value: message.return };
  }
  throw new EnvironmentError('bad-qmp', 'Cannot talk to QEMU: what comes is neither an answer nor an event');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
