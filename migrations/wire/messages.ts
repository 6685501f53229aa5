import {
  flag,
  hexText,
  integer,
  list,
  oneOf,
  optional,
  record,
  type ShapeValue,
  text,
} from '../../formats/values/shape.ts';
import { MAX_STREAMS, MAX_WINDOW } from './limits.ts';

// The messages in frames, MessagePack maps of these fields. A reader drops fields that are not listed.

export const PROTOCOL = 'savkit-migration';
/** Versions of the protocol that this side speaks, the preferred one first. Version 1 knows no guests of QEMU. */
export const VERSIONS = [2, 1];
/** The first version that knows guests of QEMU. */
export const KNOWS_QEMU = 2;

const capabilities = record({
  /** Whether this side can compress (source) or decompress (target) with zstd. */
  zstd: flag,
  streams: integer(1, MAX_STREAMS),
  /** Bytes of page frames that may be under way on each stream. */
  window: integer(65_536, MAX_WINDOW),
});
export type Capabilities = ShapeValue<typeof capabilities>;

export const targetHelloShape = record({
  protocol: oneOf(PROTOCOL),
  versions: list(integer(0, 65535), 16),
  /** Random for each connection; the source has to send it back. */
  nonce: hexText(16),
  capabilities,
  /** Room for machines now; older versions do not tell. */
  room: optional(record({ bytes: integer(0, Number.MAX_SAFE_INTEGER), machines: integer(0, 65535) })),
});
/** Room of a target for machines. */
export interface TargetRoom {
  /** Memory of machines, in bytes. */
  bytes: number;
  /** Machines that could begin to arrive. */
  machines: number;
}

export const sourceHelloShape = record({
  protocol: oneOf(PROTOCOL),
  version: integer(0, 65535),
  /** The target's nonce: a message recorded on another connection cannot be replayed. */
  nonce: hexText(16),
  migration: hexText(16),
  /** Number of the connection within the migration: 1, 2, … */
  attempt: integer(1, 1_000_000),
  capabilities,
});

export const joinShape = record({ nonce: hexText(16), token: hexText(16) });

export const acceptShape = record({
  capabilities,
  /** Proves that a further stream belongs to this connection. */
  token: hexText(16),
  /** The target has pages of the machine already; their hashes follow. */
  hasPages: flag,
  /** The target runs the machine; else the target keeps it in a file. */
  runs: flag,
});

export const reasonShape = record({ code: text(64), message: text(4096) });
export type Reason = ShapeValue<typeof reasonShape>;

export const decisionShape = record({ decision: oneOf('receiving', 'ready', 'started', 'gave-up', 'unknown') });
