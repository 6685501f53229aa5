import type { Duplex } from 'node:stream';
import { SavkitError } from '../../formats/errors.ts';
import type { FrameChannel } from './frame-channel.ts';
import { throwReason } from './inbox.ts';
import { MAX_DISK_PIECE } from './limits.ts';
import { LinkError } from './link-error.ts';
import { MigrationError } from './migration-error.ts';

/**
 * Carries what two hypervisors say to each other about a disk: all that comes out of a stream goes into the channel,
 * and the other way round, until either ends; both have ended then.
 * @param onBytes called for what has come over the channel
 * @throws LinkError where the channel broke before the stream had ended, PeerError, MigrationError
 */
export async function carryBytes(channel: FrameChannel, stream: Duplex, onBytes: () => void = () => {}): Promise<void> {
  stream.on('error', () => {});
  let hasEnded = false;
  stream.once('close', () => {
    hasEnded = true;
    channel.end();
  });
  try {
    await Promise.race([sendAll(stream, channel), takeAll(channel, stream, onBytes)]);
  } catch (error) {
    if (!hasEnded || !(error instanceof LinkError)) throw error;
  } finally {
    stream.destroy();
    channel.end();
  }
}

async function sendAll(stream: Duplex, channel: FrameChannel): Promise<void> {
  try {
    for await (const piece of stream as AsyncIterable<Buffer>)
      for (let at = 0; at < piece.length; at += MAX_DISK_PIECE)
        await channel.send('bytes', {}, piece.subarray(at, at + MAX_DISK_PIECE));
  } catch (error) {
    if (error instanceof SavkitError) throw error;
    // A hypervisor that is gone has ended its stream.
  }
}

async function takeAll(channel: FrameChannel, stream: Duplex, onBytes: () => void): Promise<void> {
  for (;;) {
    const frame = await channel.receive('what the hypervisor says about a disk');
    if (frame.name === 'beat') continue;
    throwReason(frame);
    if (frame.name !== 'bytes')
      throw new MigrationError('unexpected', `Cannot take frame ${frame.name} on a connection of a disk`);
    onBytes();
    // The frame is borrowed; the stream keeps what it has not sent yet.
    if (!stream.write(Uint8Array.from(frame.payload))) await roomIn(stream);
    if (stream.destroyed) return;
  }
}

/** Resolves when a stream takes more, or nothing any more. */
function roomIn(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      stream.off('drain', go).off('close', go);
      resolve();
    };
    if (stream.destroyed) resolve();
    else stream.on('drain', go).on('close', go);
  });
}
