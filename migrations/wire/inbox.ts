import type { SavkitError } from '../../formats/errors.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { FrameChannel } from './frame-channel.ts';
import type { FrameName } from './frames.ts';
import { PATIENCE } from './limits.ts';
import { LinkError } from './link-error.ts';
import { reasonShape } from './messages.ts';
import { MigrationError } from './migration-error.ts';
import { type Frame, readMessage } from './payload.ts';
import { PeerError } from './peer-error.ts';

/** Maximum number of frames that may wait; meanwhile the stream is not read. */
const CAPACITY = 4;

/** Reads all frames of a stream as they arrive: some are taken at once, others wait for `expect`. */
export class Inbox {
  readonly #channel: FrameChannel;
  readonly #takeAtOnce: (frame: Frame) => boolean;
  readonly #frames: Frame[] = [];
  /** Resolves with the error that ended the stream, after all earlier frames. */
  readonly ended: Promise<SavkitError>;
  #failure: SavkitError | undefined;
  #changed: (() => void)[] = [];

  /** @param takeAtOnce gets each frame first; gives true if it has taken the frame */
  constructor(channel: FrameChannel, takeAtOnce: (frame: Frame) => boolean, onFailure: (error: SavkitError) => void) {
    this.#channel = channel;
    this.#takeAtOnce = takeAtOnce;
    this.ended = this.#read().catch((error: SavkitError) => {
      this.#failure ??= error;
      onFailure(error);
      this.#tell();
      return error;
    });
  }

  /** The next waiting frame, which must have one of these names; owned. @throws LinkError, PeerError, MigrationError */
  async expect(...names: FrameName[]): Promise<Frame> {
    const deadline = clock() + this.#channel.timeOuts.frame * PATIENCE;
    while (this.#frames.length === 0) {
      if (this.#failure) throw this.#failure;
      if (clock() > deadline) throw LinkError.silent(this.#channel.timeOuts.frame * PATIENCE, names.join(' or '));
      await this.#change();
    }
    const frame = this.#frames.shift() as Frame;
    this.#tell();
    if (!names.includes(frame.name))
      throw new MigrationError('unexpected', `Cannot take frame ${frame.name}: expected ${names.join(' or ')}`);
    return frame;
  }

  /** Makes all waits for a frame fail with an error; frames are still read. */
  interrupt(error: SavkitError): void {
    this.#failure ??= error;
    this.#tell();
  }

  async #read(): Promise<never> {
    for (;;) {
      while (this.#frames.length >= CAPACITY) await this.#change();
      const frame = await this.#channel.receive('a sign of life');
      throwReason(frame);
      if (this.#takeAtOnce(frame) || frame.name === 'beat') {
        if (this.#frames.length === 0) this.#tell();
        continue;
      }
      this.#frames.push({ name: frame.name, payload: frame.payload.slice() });
      this.#tell();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#changed.push(resolve));
  }

  #tell(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const resolve of waiting) resolve();
  }
}

/** The next frame of a channel without an inbox, which must have this name; borrowed. @throws as `Inbox.expect` does */
export async function receiveOnly(channel: FrameChannel, name: FrameName): Promise<Frame> {
  const frame = await channel.receive(name, channel.timeOuts.hello);
  throwReason(frame);
  if (frame.name !== name) throw new MigrationError('unexpected', `Cannot take frame ${frame.name}: expected ${name}`);
  return frame;
}

/** @throws PeerError for a frame in which the peer gives a reason for its refusal */
export function throwReason(frame: Frame): void {
  if (frame.name === 'refuse') throw PeerError.refused(readMessage(frame, reasonShape));
  if (frame.name === 'cancel') throw PeerError.cancelled(readMessage(frame, reasonShape));
}
