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

// The messages in frames, MessagePack maps of these fields. What is not listed is left out when they are read.

export const PROTOCOL = 'savkit-migration';
/** Versions of the protocol that this side speaks, the preferred one first. Version 1 knows no guests of QEMU. */
export const VERSIONS = [2, 1];
/** The first version that knows guests of QEMU. */
export const KNOWS_QEMU = 2;

const capabilities = record({
  /** Expands, or produces, zstd. */
  zstd: flag,
  streams: integer(1, MAX_STREAMS),
  /** Bytes of page frames that may be under way on each stream. */
  window: integer(65_536, MAX_WINDOW),
});
export type Capabilities = ShapeValue<typeof capabilities>;

export const targetHelloShape = record({
  protocol: oneOf(PROTOCOL),
  versions: list(integer(0, 65535), 16),
  /** Fresh for each connection; must come back. */
  nonce: hexText(16),
  capabilities,
  /** What it could take now; older versions do not tell. */
  room: optional(record({ bytes: integer(0, Number.MAX_SAFE_INTEGER), machines: integer(0, 65535) })),
});
/** What a target could take now. */
export interface TargetRoom {
  /** Memory of machines, in bytes. */
  bytes: number;
  /** Machines that could begin to arrive. */
  machines: number;
}

export const sourceHelloShape = record({
  protocol: oneOf(PROTOCOL),
  version: integer(0, 65535),
  /** The target's nonce: what was said on another connection can't be said again. */
  nonce: hexText(16),
  migration: hexText(16),
  /** 1, 2, …: goes up with each connection of a migration. */
  attempt: integer(1, 1_000_000),
  capabilities,
});

export const joinShape = record({ nonce: hexText(16), token: hexText(16) });

export const acceptShape = record({
  capabilities,
  /** What further streams of this connection show. */
  token: hexText(16),
  /** The target has pages of the machine already; their hashes follow. */
  hasPages: flag,
  /** The target runs the machine; else it keeps it in a file. */
  runs: flag,
});

export const reasonShape = record({ code: text(64), message: text(4096) });
export type Reason = ShapeValue<typeof reasonShape>;

export const decisionShape = record({ decision: oneOf('receiving', 'ready', 'started', 'gave-up', 'unknown') });
