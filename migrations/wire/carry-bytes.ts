import type { Duplex } from 'node:stream';
import { SavkitError } from '../../formats/errors.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, stopTimer } from '../../formats/world/waiting.ts';
import type { FrameChannel } from './frame-channel.ts';
import { throwReason } from './inbox.ts';
import { MAX_DISK_PIECE } from './limits.ts';
import { LinkError } from './link-error.ts';
import { MigrationError } from './migration-error.ts';

export interface CarryOptions {
  /** Called for each piece that arrived over the channel. */
  onBytes?: () => void;
  /** Time within which the other hypervisor must answer, in ms: a guest waits for it. */
  answerWithin?: number;
}

/**
 * Carries the connection of two hypervisors that copy a disk: bytes of a stream go into the channel, and the other way
 * round, until either ends; then ends both.
 * @throws LinkError where the channel broke before the stream had ended, PeerError, MigrationError
 */
export async function carryBytes(
  channel: FrameChannel,
  stream: Duplex,
  { onBytes = () => {}, answerWithin = Number.POSITIVE_INFINITY }: CarryOptions = {},
): Promise<void> {
  stream.on('error', () => {});
  const answer = new AwaitedAnswer(answerWithin);
  let hasEnded = false;
  stream.once('close', () => {
    hasEnded = true;
    channel.end();
  });
  try {
    const onAnswer = () => {
      answer.hasCome();
      onBytes();
    };
    const asked = sendAll(stream, channel, () => answer.isAwaited());
    await Promise.race([asked, takeAll(channel, stream, onAnswer), answer.missing]);
  } catch (error) {
    if (!hasEnded || !(error instanceof LinkError)) throw error;
  } finally {
    answer.hasCome();
    stream.destroy();
    channel.end();
  }
}

/**
 * Limits the wait for an answer: a hypervisor that never answers stalls the guest at the other side, though its host is
 * alive.
 */
class AwaitedAnswer {
  /** Rejects when an answer is late. */
  readonly missing: Promise<never>;
  readonly #within: number;
  #timer: TimerHandle | undefined;
  #fail: (error: MigrationError) => void = () => {};

  constructor(within: number) {
    this.#within = within;
    this.missing = new Promise((_, reject) => {
      this.#fail = reject;
    });
    this.missing.catch(() => {});
  }

  isAwaited(): void {
    if (this.#timer || !Number.isFinite(this.#within)) return;
    const seconds = this.#within / 1000;
    this.#timer = after(this.#within, () =>
      this.#fail(
        new MigrationError(
          'disk-failed',
          `Cannot copy disks: the target's hypervisor has not answered for ${seconds} s`,
        ),
      ),
    );
  }

  hasCome(): void {
    stopTimer(this.#timer);
    this.#timer = undefined;
  }
}

async function sendAll(stream: Duplex, channel: FrameChannel, onPiece: () => void): Promise<void> {
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      onPiece();
      for (let at = 0; at < piece.length; at += MAX_DISK_PIECE)
        await channel.send('bytes', {}, piece.subarray(at, at + MAX_DISK_PIECE));
    }
  } catch (error) {
    if (error instanceof SavkitError) throw error;
    // A hypervisor that is gone has ended its stream.
  }
}

async function takeAll(channel: FrameChannel, stream: Duplex, onBytes: () => void): Promise<void> {
  for (;;) {
    const frame = await channel.receive('the answer of the hypervisor about a disk');
    if (frame.name === 'beat') continue;
    throwReason(frame);
    if (frame.name !== 'bytes')
      throw new MigrationError('unexpected', `Cannot take frame ${frame.name} on a connection of a disk`);
    onBytes();
    // The frame is borrowed, and the stream keeps bytes until they are sent.
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
