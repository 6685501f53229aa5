import type { SavkitError } from '../../formats/errors.ts';
import { clock } from '../../formats/world/waiting.ts';
import type { PageEncoder } from '../pages/page-encoder.ts';
import type { FrameChannel } from '../wire/frame-channel.ts';
import { Inbox } from '../wire/inbox.ts';
import { PATIENCE } from '../wire/limits.ts';
import { LinkError } from '../wire/link-error.ts';
import { type Frame, readHead } from '../wire/payload.ts';
import type { RateMeter } from './rate-meter.ts';

/**
 * One stream of pages to the target. No frame is sent while the bytes under way reach the window that the target has
 * announced.
 */
export class PageStream {
  readonly channel: FrameChannel;
  readonly inbox: Inbox;
  readonly #window: number;
  readonly #meter: RateMeter;
  #inFlight = 0;
  #taken = 0;
  #failure: SavkitError | undefined;
  #wake: (() => void) | undefined;
  /** Time at which pages began to wait until the target has taken earlier ones. */
  #waitsSince = Number.POSITIVE_INFINITY;

  /** The reason why nothing more is sent over this stream; undefined while it works. */
  get failure(): SavkitError | undefined {
    return this.#failure;
  }

  /** Bytes of pages that the target has reported as taken, and bytes under way. */
  get pageBytes(): { taken: number; underWay: number } {
    return { taken: this.#taken, underWay: this.#inFlight };
  }

  constructor(channel: FrameChannel, window: number, meter: RateMeter) {
    this.channel = channel;
    this.#window = window;
    this.#meter = meter;
    this.inbox = new Inbox(
      channel,
      (frame) => this.#takeAtOnce(frame),
      (error) => {
        this.#failure ??= error;
        this.#wake?.();
      },
    );
  }

  /** Sends pages as they are now. @returns size of the frame; 0 if the target already has all of the pages */
  async sendPages(encoder: PageEncoder, round: number, pages: Uint32Array, count: number): Promise<number> {
    const start = clock();
    this.#waitsSince = start;
    while (this.#inFlight >= this.#window) await this.#room();
    this.#waitsSince = Number.POSITIVE_INFINITY;
    const buffer = await this.channel.takeBuffer();
    if (this.#failure) throw this.#failure;
    this.#meter.addWait(clock() - start);
    const frame = encoder.encode(buffer, round, pages, count);
    if (frame.length === 0) {
      this.channel.returnBuffer(buffer);
      return 0;
    }
    this.#inFlight += frame.length;
    this.channel.sendBuffer(buffer, frame.start, frame.length);
    return frame.length;
  }

  /** Makes all waits for the target fail with an error. */
  interrupt(error: SavkitError): void {
    this.#failure ??= error;
    this.#wake?.();
    this.inbox.interrupt(error);
  }

  /** @throws LinkError for a target that only sends signs of life */
  #takeAtOnce(frame: Frame): boolean {
    const patience = this.channel.timeOuts.frame * PATIENCE;
    if (clock() - this.#waitsSince > patience) throw LinkError.silent(patience, 'that it takes pages');
    if (frame.name !== 'credit') return false;
    const { bytes, busy } = readHead(frame, 'credit').head;
    // A claim of more bytes than were sent is cut, so that it does not enlarge the window.
    const consumed = Math.min(bytes, this.#inFlight);
    this.#inFlight -= consumed;
    this.#taken += consumed;
    this.#meter.add(consumed, Math.min(busy, 100) / 100);
    this.#wake?.();
    return true;
  }

  async #room(): Promise<void> {
    if (this.#failure) throw this.#failure;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    if (this.#failure) throw this.#failure;
  }
}
