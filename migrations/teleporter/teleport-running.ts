import { SavkitError } from '../../formats/errors.ts';
import type { ByteSink } from '../../formats/files/sink.ts';
import { clock } from '../../formats/world/waiting.ts';
import { liveSave, type PassReport } from '../../src/live-save/live-save.ts';
import { sizeLimit } from '../../src/live-save/pass-rules.ts';
import { plainSave } from '../../src/live-save/plain-save.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import type { Peer } from './peer.ts';
import { type SendOptions, sendMachine } from './sender.ts';

export interface TeleportOptions extends Pick<SendOptions, 'password' | 'signal' | 'onStep'> {
  /** Leave the machine paused at the target; a machine that is suspended here is paused there in any case. */
  paused?: boolean;
  /** Downtime that the passes aim at; default 250 ms. */
  maxDowntimeMs?: number;
  onPass?: (pass: PassReport) => void;
}

export interface TeleportReport {
  passes: PassReport[];
  /** Milliseconds from the machine's stop to the target's answer; 0 for a machine that was suspended before. */
  downtimeMs: number;
  paused: boolean;
}

/**
 * Hands a machine that savkit runs over to a target, passing memory live. Device units are taken from the state that
 * the machine was started from.
 *
 * Afterwards the machine is released here. A machine that the target refuses goes on here; only after
 * `hand-over-unknown` does the machine stay suspended, as the target may run it.
 * @throws as `sendMachine` and `liveSave` do
 */
export async function teleportRunning(
  peer: Peer,
  running: RunningMachine,
  options: TeleportOptions,
): Promise<TeleportReport> {
  const departure = new Departure(running, options);
  try {
    await sendMachine(peer, {
      password: options.password,
      stream: (sink) => departure.send(sink),
      paused: () => departure.paused,
      signal: options.signal,
      onStep: options.onStep,
    });
  } catch (error) {
    departure.letGo(error instanceof SavkitError && error.code === 'hand-over-unknown');
    throw error;
  }
  running.release();
  return { passes: departure.passes, downtimeMs: departure.downtimeMs, paused: departure.paused };
}

class Departure {
  passes: PassReport[] = [];
  readonly #running: RunningMachine;
  readonly #options: TeleportOptions;
  #suspendedByUs = false;
  #stoppedAt = 0;

  constructor(running: RunningMachine, options: TeleportOptions) {
    this.#running = running;
    this.#options = options;
  }

  get paused(): boolean {
    return this.#options.paused === true || !this.#suspendedByUs;
  }

  get downtimeMs(): number {
    return this.#suspendedByUs ? clock() - this.#stoppedAt : 0;
  }

  async send(sink: ByteSink): Promise<void> {
    const { signal, maxDowntimeMs, onPass } = this.#options;
    const running = this.#running;
    if (running.state === 'suspended') {
      await plainSave(running, sink, { signal });
      running.hold();
      return;
    }
    const report = await liveSave(running, sink, {
      leaveSuspended: true,
      limits: { bytes: sizeLimit([running.machine.state.pgm?.ramSize ?? 0], 'stream') },
      signal,
      maxDowntimeMs,
      onPass,
      // The machine that was sent is the one that is handed over, so nobody changes it from here on.
      onProgress: (percent) => percent === 100 && running.hold(),
    });
    this.passes = report.passes;
    this.#suspendedByUs = !report.wasSuspended;
    this.#stoppedAt = clock() - report.downtimeMs;
  }

  /** Lets the machine go on if this side has suspended it, unless it may be at the target. */
  letGo(isUndecided: boolean): void {
    this.#running.letGo();
    const mayGoOn = this.#suspendedByUs && !isUndecided;
    if (mayGoOn && this.#running.state === 'suspended') this.#running.resume();
  }
}
