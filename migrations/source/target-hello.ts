import type { Duplex } from 'node:stream';
import { FrameChannel } from '../wire/frame-channel.ts';
import { receiveOnly } from '../wire/inbox.ts';
import { TIME_OUTS } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { type TargetRoom, targetHelloShape, VERSIONS } from '../wire/messages.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { readMessage } from '../wire/payload.ts';

/** A target's greeting. */
export interface TargetHello {
  nonce: string;
  /** The latest version of the protocol that both sides know. */
  version: number;
  /** Room for machines at the target now; undefined if it does not tell. */
  room: TargetRoom | undefined;
}

/**
 * Receives a target's first frame. @param atLeast needed version of the protocol @throws LinkError, PeerError,
 * MigrationError
 */
export async function receiveHello(channel: FrameChannel, atLeast = 0): Promise<TargetHello> {
  const frame = await receiveOnly(channel, 'hello').catch((error) => {
    // With TLS 1.3, a side learns only after the handshake that its certificate was refused.
    if (error instanceof LinkError && channel.received === 0)
      throw new LinkError(error.code, `${error.message}; the target said nothing, so it may not trust this side`);
    throw error;
  });
  const { versions, nonce, room } = readMessage(frame, targetHelloShape);
  const version = VERSIONS.find((each) => versions.includes(each));
  if (version === undefined)
    throw new MigrationError(
      'other-version',
      `Cannot speak to target: it knows versions ${versions.join(', ')} of the protocol, expected ` +
        `${VERSIONS.join(', ')}`,
    );
  if (version < atLeast)
    throw new MigrationError(
      'other-version',
      `Cannot speak to target: its savkit knows version ${version} of the protocol, which takes no guests of ` +
        'QEMU; update it',
    );
  return { nonce, version, room };
}

/**
 * Asks a target for its room, and says goodbye: no migration begins. @returns undefined if the target does not tell
 * @throws EnvironmentError, MigrationError
 */
export async function askRoom(connect: () => Promise<Duplex>): Promise<TargetRoom | undefined> {
  const channel = new FrameChannel(await connect(), TIME_OUTS);
  try {
    return (await receiveHello(channel)).room;
  } finally {
    channel.end();
  }
}
