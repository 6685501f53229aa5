import {
  exact,
  flag,
  hexText,
  integer,
  number,
  oneKind,
  oneOf,
  optional,
  orNull,
  type Shape,
  type ShapeValue,
  such,
  text,
  withDefault,
} from '../../formats/values/shape.ts';
import { COMPRESSION_CHOICES } from '../../migrations/source/options.ts';
import { MAX_THROTTLE } from '../../src/running/step-pacer.ts';

const words = text(65_536);
const path = such(words, (value) => value !== '' && !value.includes('\0'), 'a path');
const amount = such(number, (value) => value >= 0, 'a number from 0');
const throttle = such(number, (value) => value >= 0 && value <= MAX_THROTTLE, `a number from 0 to ${MAX_THROTTLE}`);

/** A limit: null stands for infinity, which JSON lacks; a missing limit has its default. */
const limit = withDefault<number | null | undefined>(orNull(amount), undefined);
const limits = exact({
  maxDowntimeMs: limit,
  stalledDowntimeMs: limit,
  bandwidth: limit,
  timeLimitMs: limit,
  onTimeLimit: optional(oneOf('cancel', 'force', 'throttle')),
});
const compression = oneOf(...COMPRESSION_CHOICES);

const trust = oneKind('kind', {
  /** Key that both sides derive from the pairing code. */
  code: exact({ key: hexText(32) }),
  certificates: exact({ certificate: words, key: words, authority: words, peerName: optional(words) }),
  insecure: exact({}),
});

const migration = exact({
  to: words,
  trust,
  /** Folder of the records. */
  records: path,
  limits,
  streams: integer(1, 16),
  compression,
  proof: oneOf('auto', 'full', 'audited'),
  resumeWithinMs: amount,
  /** Number of the migration, if it was chosen before. */
  migration: optional(hexText(16)),
});

/** Requests of a control socket, by command. */
export const REQUESTS = {
  status: exact({}),
  stats: exact({ pattern: optional(words) }),
  check: exact({}),
  pause: exact({}),
  resume: exact({}),
  reset: exact({}),
  stop: exact({}),
  console: exact({ line: words }),
  throttle: exact({ share: throttle }),
  save: exact({ path, force: withDefault(flag, false) }),
  'live-save': exact({
    path,
    force: withDefault(flag, false),
    maxDowntimeMs: optional(amount),
    stay: withDefault(flag, false),
  }),
  migrate: exact({ request: migration }),
  limits: exact({ request: limits }),
  /** `rate`: bytes per second of the link. */
  foretell: exact({ request: exact({ limits, rate: amount, compression }) }),
  /** `password`: as it goes to the target. Only the socket's owner can connect, and so read the password. */
  teleport: exact({ request: exact({ to: words, password: words, paused: flag, maxDowntimeMs: amount }) }),
} satisfies Record<string, Shape<object>>;

export type ControlCommand = keyof typeof REQUESTS;
export const CONTROL_COMMANDS = Object.keys(REQUESTS) as readonly ControlCommand[];
/** The request of a command. */
export type RequestOf<C extends ControlCommand> = ShapeValue<(typeof REQUESTS)[C]>;

export type LimitsInJson = ShapeValue<typeof limits>;
/** The request of `savkit migrate` to the process that runs the machine. */
export type MigrateRequest = ShapeValue<typeof migration>;
export type ForetellRequest = RequestOf<'foretell'>['request'];
/** The request of `savkit send` to the process that runs a machine. */
export type TeleportRequest = RequestOf<'teleport'>['request'];
