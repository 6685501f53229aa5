import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { EnvironmentError } from '../../formats/errors.ts';
import { removeTemporaryFiles } from '../../formats/files/temporary-files.ts';
import { tell } from '../terminal/print.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { ExitCode } from './exit-codes.ts';

/** A machine of which this process has the only copy. */
export interface Charge {
  /** Whether the end of the process would lose the machine now. */
  isHeld(): boolean;
  /** The machine can be reached by the terminal only, so it is saved when the terminal closes. */
  readonly needsTerminal?: boolean;
  /** While the machine is not held, a closed output ends the process, as it does without a machine. */
  readonly needsOutput?: boolean;
  /** Text for people: where the machine is, how to reach it, and how to end it. */
  ways(): TerminalText;
  /**
   * Saves the machine to a file, and leaves it paused; returns a text for people. @throws Error when the save fails:
   * the machine goes on as before
   */
  save?(): Promise<TerminalText>;
}

/** A Ctrl-C within this time after another one confirms it. */
const CONFIRM_MS = 30_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type EndSignal = (typeof SIGNALS)[number];

/**
 * Knows whether this process has a machine, and decides what may end the process. While it has one, only SIGKILL ends
 * it at once: failures of output are ignored; SIGHUP is ignored for a machine that can be reached without the terminal;
 * the first Ctrl-C prints how to reach and end the machine; a second Ctrl-C, and SIGTERM, first save the machine to
 * a file; an uncaught error is printed. Without a machine, the first signal ends the work cleanly, the second one kills
 * the process, and a closed output ends it.
 */
class Custody {
  /** Charges in the order in which they began. Where several hold a machine, people are told of the last one. */
  readonly #charges: Charge[] = [];
  #outputMatters = true;
  /** The output has failed while a machine was held that needs it. */
  #lostOutput: NodeJS.ErrnoException | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #saving: Promise<void> | undefined;
  /** All machines have been saved. */
  #isSaved = false;
  /** The process was told to end as soon as the machine can be saved. */
  #isEndWanted = false;
  #stop: () => void = () => {};
  #isStopped = false;
  /**
   * Takes errors that are no faults of savkit, such as those of a library that a server has lied to. @returns whether
   * it took the error
   */
  takesUncaught: (error: unknown) => boolean = () => false;

  /** Installs the handler of signals, once for all commands of a process. @param stop ends the work cleanly */
  watch(stop: () => void): void {
    this.#stop = stop;
    for (const signal of SIGNALS) process.off(signal, this.#onSignal).on(signal, this.#onSignal);
  }

  /** Lets the work go on from now on even if its output cannot be written. */
  ignoreOutputFailures(): void {
    this.#outputMatters = false;
  }

  /** To be called for failures of stdout. */
  outputFailed(error: NodeJS.ErrnoException): void {
    if (!this.#outputMatters) return;
    if (this.#held) {
      this.#lostOutput ??= error;
      return;
    }
    // A pipe that a reader such as `head` has closed is no exception: exit code 0 would mean that all was written.
    const { message } = error instanceof EnvironmentError ? error : EnvironmentError.from(error, 'write stdout');
    tell(line`${message}`);
    process.exit(ExitCode.ENVIRONMENT);
  }

  /** Takes a machine into custody. @returns a function that ends the custody */
  take(charge: Charge): () => void {
    if (!charge.needsOutput) this.ignoreOutputFailures();
    this.#charges.push(charge);
    if (this.#isEndWanted) this.#saveAndStop();
    return () => {
      const at = this.#charges.indexOf(charge);
      if (at >= 0) this.#charges.splice(at, 1);
      if (this.#lostOutput) this.outputFailed(this.#lostOutput);
      // The end of the process was waiting for this charge.
      if (at >= 0 && this.#isEndWanted && !this.#isSaved && !this.#saving) this.#saveAndStop();
    };
  }

  /** The process was told to end as soon as its machines can be saved: it must not take more machines. */
  get isEndWanted(): boolean {
    return this.#isEndWanted;
  }

  /**
   * Waits for the save that SIGHUP begins. To be called at the end of input, since a closed terminal ends the input,
   * and SIGHUP follows.
   */
  async heardHangUp(): Promise<void> {
    await setImmediate();
    await this.#saving;
  }

  get #held(): Charge | undefined {
    return this.#charges.findLast((charge) => charge.isHeld());
  }

  readonly #onSignal = (signal: EndSignal) => {
    const held = this.#held;
    if (!held || this.#isSaved) return this.#stopWork(signal);
    if (signal === 'SIGHUP' && !held.needsTerminal) return;
    const now = performance.now();
    const isConfirmed = signal !== 'SIGINT' || now - this.#askedAt < CONFIRM_MS;
    this.#askedAt = now;
    if (isConfirmed) this.#saveAndStop();
    else tell(held.ways());
  };

  #stopWork(signal: EndSignal): void {
    if (this.#isStopped) {
      removeTemporaryFiles();
      for (const each of SIGNALS) process.off(each, this.#onSignal);
      process.kill(process.pid, signal);
    } else {
      this.#isStopped = true;
      this.#stop();
    }
  }

  #saveAndStop(): void {
    const held = this.#charges.filter((charge) => charge.isHeld());
    this.#isEndWanted = true;
    const waiting = held.findLast(({ save }) => save === undefined);
    if (this.#saving) tell(line`The machine is still being saved; kill -9 ${process.pid} would drop it`);
    else if (waiting) tell(waiting.ways());
    else this.#saving = this.#save(held);
  }

  /** Saves machines, and ends the work. If a save fails, the machines saved before it stay paused. */
  async #save(held: readonly Charge[]): Promise<void> {
    let at: Charge | undefined;
    try {
      for (at of held) tell((await at.save?.()) ?? NO_TEXT);
      this.#isSaved = true;
      this.#isStopped = true;
      this.#stop();
    } catch (error) {
      this.#isEndWanted = false;
      tell(
        lines([
          line`${error instanceof Error ? error.message : String(error)}; the machine stays as it was`,
          at?.ways() ?? NO_TEXT,
        ]),
      );
    } finally {
      this.#saving = undefined;
    }
  }

  /** To be called for uncaught errors; their messages may hold text out of files, so they are escaped. */
  uncaught(error: unknown): void {
    if (this.takesUncaught(error)) return;
    const held = this.#held;
    const [first, ...others] = inspect(error).split('\n');
    tell(lines([`Internal error: ${first}`, ...others.map(indent)]));
    if (held) tell(lines(['The machine is kept all the same.', held.ways()]));
    else process.exit(ExitCode.INTERNAL);
  }
}

export const custody = new Custody();
