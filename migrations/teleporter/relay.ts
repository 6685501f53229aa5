import { EnvironmentError, ownError, type SavkitError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { errorOf } from '../../src/saved-state/reading/findings.ts';
import { verify } from '../../src/saved-state/verify/verify.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { FrameSink, FrameSource } from './frames.ts';
import { PassObserver, type StreamFigures } from './pass-figures.ts';
import type { Peer } from './peer.ts';
import {
  COMMAND_LIMIT,
  type Command,
  PASSWORD_LIMIT,
  PASSWORD_MS,
  parseCommand,
  parseReply,
  REPLY_LIMIT,
} from './wire.ts';

/** Report of a relay on the migration that it carried. */
export interface RelayReport {
  end: 'handed-over' | 'refused' | 'cancelled' | 'cut';
  /** The password was accepted: the target takes no other source any more. */
  authenticated: boolean;
  /** The target's refusal; its text may be empty. */
  refusal?: { at: string; status: number; text: string };
  figures: StreamFigures;
  /** The whole stream was recorded, and is good. */
  recorded: boolean;
  /** Reason why the stream was not recorded whole. */
  recordFault?: SavkitError;
}

export interface RelayOptions {
  /** Sink that gets the stream; faults of the sink do not disturb the migration. */
  record?: ByteSink;
  onProgress?: (figures: StreamFigures) => void;
  onStep?: (step: string) => void;
}

/**
 * Carries one connection between a source and a target, and watches it. All bytes pass unchanged, except for the size
 * of frames, which has no meaning. The relay never answers by itself: when it breaks, source and target see a broken
 * link.
 *
 * @param source its signal interrupts the relay, but not between a hand-over and its answer
 * @param target without a signal
 */
export function relayMachine(source: Peer, target: Peer, options: RelayOptions = {}): Promise<RelayReport> {
  return new Relay(source, target, options).run();
}

/** Commands without an answer: VirtualBox waits for each. */
const MOST_ASKED = 16;

class Relay {
  readonly #source: Peer;
  readonly #target: Peer;
  readonly #options: RelayOptions;
  readonly #observer: PassObserver;
  /** Lines of the source that have not been answered yet. */
  readonly #asked: (Command | 'other' | 'password' | 'load-complete')[] = [];
  readonly #report: RelayReport;
  #hasStream = false;

  constructor(source: Peer, target: Peer, options: RelayOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#observer = new PassObserver(options.onProgress);
    this.#report = { end: 'cut', authenticated: false, figures: this.#observer.figures, recorded: false };
  }

  async run(): Promise<RelayReport> {
    const commands = this.#carryCommands();
    const replies = this.#carryReplies();
    // The side that closes first ends the relay; all earlier bytes have been passed on.
    await Promise.race([commands, replies]).catch(() => {});
    // A hand-over that has begun is not interrupted: its answer must reach the source.
    if (this.#asked.some(isHandOver)) await replies.catch(() => {});
    await Promise.all([this.#source.close(), this.#target.close()]);
    const [settled] = await Promise.allSettled([commands, replies]);
    const isOfLink =
      settled.status === 'fulfilled' ||
      settled.reason instanceof EnvironmentError ||
      settled.reason instanceof MigrationError;
    if (!isOfLink && this.#report.end !== 'handed-over') throw settled.reason;
    return this.#report;
  }

  /** Passes lines and the stream from the source to the target. */
  async #carryCommands(): Promise<void> {
    this.#asked.push('password');
    // The password passes through unread.
    const password = await this.#source.line(PASSWORD_LIMIT, { withinMs: PASSWORD_MS });
    if (!password) return;
    await this.#target.write(password.bytes);
    for (let text = await this.#carryCommand(); text !== undefined; text = await this.#carryCommand()) {
      const command = parseCommand(text);
      this.#options.onStep?.(command);
      if (command === 'cancel') this.#report.end = 'cancelled';
      if (command === 'load') await this.#carryStream();
    }
  }

  async #carryCommand(): Promise<string | undefined> {
    const line = await this.#source.line(COMMAND_LIMIT + 1);
    if (!line) return undefined;
    const command = parseCommand(line.text);
    this.#expectTurn(command);
    if (this.#asked.length >= MOST_ASKED)
      throw new MigrationError('unexpected', `Cannot relay ${this.#source.name}: it waits for no answers`);
    this.#asked.push(command);
    await this.#target.write(line.bytes);
    return line.text;
  }

  /**
   * Expects a command only after the source was let in, and one stream only. A source that does not wait for answers
   * could have its stream recorded without the password, before the real machine's stream. @throws MigrationError
   * `unexpected`
   */
  #expectTurn(command: Command | 'other'): void {
    const isAgain = command === 'load' && this.#hasStream;
    if (this.#report.authenticated && !isAgain) return;
    this.#report.recorded = false;
    const why = isAgain ? 'a second stream' : 'commands before its password was accepted';
    throw new MigrationError('unexpected', `Cannot relay ${this.#source.name}: it sends ${why}`);
  }

  async #carryStream(): Promise<void> {
    this.#hasStream = true;
    const frames = new FrameSink(this.#target);
    const stream = new FrameSource(this.#source, { write: (bytes) => this.#carryPiece(bytes, frames) });
    try {
      await this.#watch(stream);
      await stream.drain();
      this.#observer.onProgress(stream.offset);
    } catch (error) {
      if (error instanceof MigrationError) {
        this.#report.recordFault ??= error;
        // The target refuses the bad header in its own words.
        await this.#target.write(stream.header);
      } else if (error instanceof EnvironmentError && error.code === 'cancelled-by-source') {
        this.#report.end = 'cancelled';
        await frames.cancel();
      }
      throw error;
    }
    this.#asked.push('load-complete');
    await frames.finish();
  }

  async #carryPiece(bytes: Uint8Array, frames: FrameSink): Promise<void> {
    await frames.write(bytes);
    if (!this.#options.record || this.#report.recordFault) return;
    await this.#options.record.write(bytes).catch((error) => {
      this.#report.recordFault = ownError(error);
    });
  }

  /** Follows the stream as long as it is good; the target refuses a bad one. */
  async #watch(stream: FrameSource): Promise<void> {
    const { onUnit, onPages, onProgress } = this.#observer;
    const { findings } = await verify(stream, { stopAtDamage: true, onUnit, onPages, onProgress });
    const fault = findings.find(({ severity }) => severity === 'error');
    if (fault) this.#report.recordFault ??= errorOf(fault);
    this.#report.recorded = this.#options.record !== undefined && this.#report.recordFault === undefined;
  }

  /** Passes replies from the target to the source; the answer to a hand-over is the last. */
  async #carryReplies(): Promise<void> {
    let isWelcome = true;
    for (let line = await this.#target.line(REPLY_LIMIT); line; line = await this.#target.line(REPLY_LIMIT)) {
      // The reply is noted before it is passed on: the target has acted already, even if its answer does not reach the
      // source.
      const answered = isWelcome ? 'welcome' : this.#note(line.text);
      isWelcome = false;
      await this.#source.write(line.bytes);
      if (isHandOver(answered)) return;
    }
  }

  /** @returns the kind of line that was answered */
  #note(text: string): string {
    const reply = parseReply(text);
    const at = this.#asked.shift() ?? 'load-complete';
    if (!reply) return at;
    if (!reply.ack) {
      this.#report.refusal = { at, status: reply.status, text: reply.text };
      if (this.#report.end !== 'cancelled') this.#report.end = 'refused';
    } else if (at === 'password') this.#report.authenticated = true;
    else if (isHandOver(at)) this.#report.end = 'handed-over';
    return at;
  }
}

function isHandOver(asked: string): boolean {
  return asked === 'hand-over-resume' || asked === 'hand-over-paused';
}
