import { EnvironmentError, InterruptedError, type SavkitError, UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { FrameSink } from './frames.ts';
import type { Peer } from './peer.ts';
import { STATUS_NUMBERS, statusName } from './status.ts';
import { type Command, parseReply, REPLY_LIMIT, type Reply, WELCOME, WELCOME_LIMIT } from './wire.ts';

// The source's side. The steps in order; after each the target answers:
//
// (connect) ◄ welcome   password   load   (stream)   lock-media   hand-over-*   (the target runs)
//
// Until `hand-over-*` has been sent, the machine belongs to this side, whatever happens. From then on only a NACK gives
// the machine back: without an answer the target may run it, so it must not be started here.

export type SendStep = 'welcome' | 'password' | 'load' | 'load-complete' | 'lock-media' | 'hand-over';

export interface SendOptions {
  /** The password line (`passwordLine`). */
  password: string;
  /** Writes the saved-state stream. */
  stream: (sink: ByteSink) => Promise<void>;
  /** Whether to leave the machine paused at the target; asked once the stream has been sent. */
  paused: () => boolean;
  signal?: AbortSignal;
  /** Called before each step, and during the stream. */
  onStep?: (step: SendStep | 'stream', bytes: number) => void;
}

/**
 * Time for the reason of a target that has ended the connection. VirtualBox's source waits for 1 ms; over a network a
 * NACK takes longer.
 */
const LAST_WORD_MS = 2000;

/** Thrown by the frame sink when the target answers during the stream. */
class TargetSpoke extends Error {}

/**
 * Hands a machine over to a target that waits.
 * @throws SavkitError with the target's own words, if it has sent any: UnsupportedError when the state does not fit the
 * target; EnvironmentError `hand-over-unknown` when the target may run the machine: the only failure after which the
 * machine must not be started here
 */
export async function sendMachine(peer: Peer, options: SendOptions): Promise<void> {
  const session = new SendSession(peer, options);
  await session.greet();
  await session.send('load');
  await session.stream();
  await session.send('lock-media');
  await session.handOver();
}

const STAYS = 'the machine stays here';

class SendSession {
  readonly #peer: Peer;
  readonly #options: SendOptions;

  constructor(peer: Peer, options: SendOptions) {
    this.#peer = peer;
    this.#options = options;
  }

  async greet(): Promise<void> {
    this.#options.onStep?.('welcome', 0);
    const line = await this.#peer.line(WELCOME_LIMIT);
    if (!line) throw this.#lost('welcome');
    if (line.text !== WELCOME || !line.ended) {
      const bytes = Buffer.from(line.text).toString('hex', 0, 64);
      throw new UnsupportedError(
        'bad-welcome',
        `Cannot talk to ${this.#peer.name}: it is no teleporter that savkit knows, its welcome is ${bytes}`,
      );
    }
    this.#options.onStep?.('password', 0);
    await this.#peer.write(Buffer.from(`${this.#options.password}\n`));
    await this.#expectAck('password');
  }

  /** Sends a command that is answered at once, or a cancel in its place if the user has cancelled. */
  async send(command: Command): Promise<void> {
    await this.#cancelIfAsked();
    const step = command === 'load' || command === 'lock-media' ? command : 'hand-over';
    this.#options.onStep?.(step, 0);
    await this.#write(Buffer.from(`${command}\n`), step);
    await this.#expectAck(step);
  }

  async stream(): Promise<void> {
    const { signal, onStep, stream } = this.#options;
    const frames = new FrameSink(this.#peer, () => {
      if (this.#peer.hasInput) throw new TargetSpoke();
      if (signal?.aborted) throw new InterruptedError();
      onStep?.('stream', frames.offset);
    });
    try {
      await stream(frames);
      await frames.finish();
    } catch (error) {
      throw await this.#streamFailed(error, frames);
    }
    onStep?.('load-complete', frames.offset);
    await this.#expectAck('load-complete');
  }

  /** Sends the command that hands the machine over. From its first byte on, silence means that the target may run. */
  async handOver(): Promise<void> {
    const command = this.#options.paused() ? 'hand-over-paused' : 'hand-over-resume';
    await this.#cancelIfAsked();
    this.#options.onStep?.('hand-over', 0);
    let reply: Reply | undefined;
    try {
      await this.#peer.write(Buffer.from(`${command}\n`));
      reply = await this.#lastReply();
    } catch (error) {
      throw this.#unknown(error as Error);
    }
    if (!reply) throw this.#unknown(undefined);
    if (!reply.ack) throw refused(this.#peer, 'hand-over', reply);
  }

  /** Waits for the answer to the hand-over; an interruption does not end the wait, since the outcome must be known. */
  async #lastReply(): Promise<Reply | undefined> {
    const line = await this.#peer.line(REPLY_LIMIT + 1, { evenIfInterrupted: true });
    return line && parseReply(line.text);
  }

  /**
   * The reason for the end of the stream: the target's refusal, if it has sent one; else the error itself, and the
   * target is told to give up.
   */
  async #streamFailed(error: unknown, frames: FrameSink): Promise<unknown> {
    const isSpoken =
      error instanceof TargetSpoke || (error instanceof EnvironmentError && error.code === 'connection-lost');
    if (!isSpoken) await frames.cancel().catch(() => {});
    if (await this.#peer.inputWithin(LAST_WORD_MS)) {
      const answer = await this.#expectAck('load-complete').then(
        () =>
          new MigrationError(
            'bad-answer',
            `Cannot send to ${this.#peer.name}: it acknowledged a stream that was not complete`,
          ),
        (refusal: unknown) => refusal,
      );
      if (isSpoken) return answer;
    }
    return error instanceof TargetSpoke ? this.#lost('load-complete') : error;
  }

  async #expectAck(step: SendStep): Promise<void> {
    const line = await this.#peer.line(REPLY_LIMIT + 1).catch(async (error) => {
      // The target next reads a command in any case.
      if (error instanceof InterruptedError && step !== 'password') await this.#sendCancel();
      throw error;
    });
    if (!line) throw this.#lost(step);
    const reply = parseReply(line.text);
    if (!reply)
      throw new MigrationError(
        'bad-answer',
        `Cannot send to ${this.#peer.name}: it answered ${JSON.stringify(line.text)} to ${step}, expected ACK or NACK`,
      );
    if (!reply.ack) throw refused(this.#peer, step, reply);
  }

  async #write(bytes: Uint8Array, step: SendStep): Promise<void> {
    await this.#peer.write(bytes).catch((error) => {
      throw this.#peer.hasInput ? this.#lost(step) : error;
    });
  }

  async #cancelIfAsked(): Promise<void> {
    if (!this.#options.signal?.aborted) return;
    await this.#sendCancel();
    throw new InterruptedError();
  }

  /** Sends a cancel, which has no answer. */
  async #sendCancel(): Promise<void> {
    await this.#peer.write(Buffer.from('cancel\n')).catch(() => {});
  }

  #lost(step: SendStep): EnvironmentError {
    return new EnvironmentError(
      'connection-lost',
      `Cannot send to ${this.#peer.name}: it closed the connection, expected its answer to ${step}; ${STAYS}`,
    );
  }

  #unknown(cause: Error | undefined): EnvironmentError {
    const message =
      `Cannot tell whether ${this.#peer.name} runs the machine now: the answer to the hand-over did not come. ` +
      'Look there before starting it anywhere';
    const error = new EnvironmentError('hand-over-unknown', message);
    error.cause = cause;
    return error;
  }
}

/** Status numbers that mean: the state does not fit this target. */
const MISFITS: readonly number[] = [
  STATUS_NUMBERS.VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION,
  STATUS_NUMBERS.VERR_SSM_DATA_UNIT_FORMAT_CHANGED,
  STATUS_NUMBERS.VERR_SSM_LOAD_CPUID_MISMATCH,
  STATUS_NUMBERS.VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH,
  STATUS_NUMBERS.VERR_SSM_LOAD_CONFIG_MISMATCH,
  STATUS_NUMBERS.VERR_SSM_INTEGRITY_UNIT_NOT_FOUND,
];
/** Texts of fewer characters don't count as words. Source: Teleporter.cpp, teleporterSrcReadACK. */
const SHORTEST_TEXT = 5;

function refused(peer: Peer, step: SendStep, { status, text }: Extract<Reply, { ack: false }>): SavkitError {
  const name = statusName(status) ?? `status ${status}`;
  if (step === 'password')
    return new EnvironmentError(
      'wrong-password',
      `Cannot send to ${peer.name}: it does not take this password; ${STAYS}`,
      {},
      name,
    );
  const words = text.length >= SHORTEST_TEXT ? `: ${text.trimEnd().replace(/\.$/, '')}` : '';
  const message = `Cannot send to ${peer.name}: the target refused at ${step}${words}; ${STAYS}`;
  const code = 'refused-by-target';
  return MISFITS.includes(status)
    ? new UnsupportedError(code, message, {}, name)
    : new EnvironmentError(code, message, {}, name);
}
