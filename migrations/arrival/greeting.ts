import type { Duplex } from 'node:stream';
import type { ShapeValue } from '../../formats/values/shape.ts';
import { world } from '../../formats/world/world.ts';
import { FrameChannel } from '../wire/frame-channel.ts';
import { throwReason } from '../wire/inbox.ts';
import { MAX_MESSAGE, TIME_OUTS, type TimeOuts } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import {
  type Capabilities,
  joinShape,
  PROTOCOL,
  sourceHelloShape,
  type TargetRoom,
  VERSIONS,
} from '../wire/messages.ts';
import { MigrationError, reasonOf } from '../wire/migration-error.ts';
import { readHead, readMessage } from '../wire/payload.ts';
import { PeerError } from '../wire/peer-error.ts';

/**
 * Purpose of a connection, by its first frames: the link of a migration, a further stream of such a link, or a disk.
 */
export type Greeting = { channel: FrameChannel } & (
  | { kind: 'hello'; hello: ShapeValue<typeof sourceHelloShape> }
  | { kind: 'join'; stream: number; token: string }
  | { kind: 'disk'; disk: number; token: string }
);

/** Callbacks of the side that accepts connections. */
export interface Welcome {
  capabilities: Capabilities;
  room: TargetRoom;
  timeOuts: TimeOuts | undefined;
  /** Serves the connection until its end. */
  serve(greeting: Greeting): Promise<void>;
  /** @param message one line for people */
  onRefused(message: string): void;
}

/** Takes a connection, from the greetings to its end; never rejects for faults of the peer. */
export async function welcome(
  stream: Duplex,
  { capabilities, room, timeOuts, serve, onRefused }: Welcome,
): Promise<void> {
  const channel = new FrameChannel(stream, timeOuts ?? TIME_OUTS);
  channel.limit = MAX_MESSAGE;
  let greeting: Greeting | undefined;
  try {
    greeting = await exchangeGreetings(channel, capabilities, room);
    await serve(greeting);
    channel.end();
  } catch (error) {
    // A source that only asks for this side's capabilities ends the connection here.
    if (!greeting && error instanceof LinkError && error.isFarewell) return channel.end();
    onRefused((error as Error).message);
    if (error instanceof LinkError || error instanceof PeerError) return channel.destroy();
    await channel.send('refuse', {}, reasonOf(error)).catch(() => {});
    channel.end();
  }
}

/** @throws MigrationError for messages replayed from another connection, and for other versions */
async function exchangeGreetings(
  channel: FrameChannel,
  capabilities: Capabilities,
  room: TargetRoom,
): Promise<Greeting> {
  const nonce = world.chance.bytes(16).toString('hex');
  await channel.send('hello', {}, { protocol: PROTOCOL, versions: VERSIONS, nonce, capabilities, room });
  const frame = await channel.receive('hello or join', channel.timeOuts.hello);
  throwReason(frame);
  if (frame.name === 'join' || frame.name === 'disk') {
    const { nonce: echoed, token } = readMessage(frame, joinShape);
    if (echoed !== nonce) throw strayStream();
    if (frame.name === 'disk') return { channel, kind: 'disk', disk: readHead(frame, 'disk').head.disk, token };
    return { channel, kind: 'join', stream: readHead(frame, 'join').head.stream, token };
  }
  if (frame.name !== 'hello')
    throw new MigrationError('unexpected', `Cannot take frame ${frame.name}: expected hello or join`);
  const hello = readMessage(frame, sourceHelloShape);
  if (hello.nonce !== nonce)
    throw new MigrationError('hello-replayed', 'Cannot take hello: it was said on another connection');
  if (!VERSIONS.includes(hello.version))
    throw new MigrationError(
      'other-version',
      `Cannot speak version ${hello.version} of the protocol: expected ${VERSIONS.join(', ')}`,
    );
  return { channel, kind: 'hello', hello };
}

/** The error for a stream whose token belongs to no link. */
export function strayStream(): MigrationError {
  return new MigrationError('bad-token', 'Cannot take stream: it does not belong to a migration under way');
}
