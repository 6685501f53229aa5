import { setImmediate } from 'node:timers/promises';
import { inspect } from 'node:util';
import { EnvironmentError } from '../../formats/errors.ts';
import { removeTemporaryFiles } from '../../formats/files/temporary-files.ts';
import { tell } from '../terminal/print.ts';
import { indent, line, lines, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import { ExitCode } from './exit-codes.ts';

/** Something that would be lost with this process: a machine of which there is no other copy. */
export interface Charge {
  /** Whether the end of the process would lose it, as things stand now. */
  isHeld(): boolean;
  /** Only its terminal reaches it: where that is closed it is saved. */
  readonly needsTerminal?: boolean;
  /** For people: where it is, what reaches it, and how to end it. */
  ways(): TerminalText;
  /**
   * Saves it to a file, and leaves it standing still; gives what is to be told. @throws Error when that fails: it goes
   * on as it was
   */
  save?(): Promise<TerminalText>;
}

/** A second Ctrl-C counts as one for so long. */
const CONFIRM_MS = 30_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type EndSignal = (typeof SIGNALS)[number];

/**
 * The one place that knows whether this process has a machine, and decides what may end it. While a charge is held
 * nothing from outside does but SIGKILL: output that fails is dropped, a closed terminal (SIGHUP) changes nothing for
 * what can be reached without, the first Ctrl-C is answered with the ways out; the second one, and SIGTERM, have the
 * machine saved to a file first; an uncaught error is told. Without a charge the first signal ends the work cleanly,
 * the second kills, and nobody works for a reader that is gone.
 */
class Custody {
  /** Of those without a way to save them the last one counts: it stands for the machine that the others waited for. */
  readonly #charges: Charge[] = [];
  #outputMatters = true;
  #askedAt = Number.NEGATIVE_INFINITY;
  #saving: Promise<void> | undefined;
  /** Nothing is lost any more with the process. */
  #isSaved = false;
  /** Somebody wants the process to end, as soon as the machine can be saved. */
  #isEndWanted = false;
  #stop: () => void = () => {};
  #isStopped = false;

  /** Has signals handled, once, however many commands a process runs. @param stop ends its work cleanly */
  watch(stop: () => void): void {
    this.#stop = stop;
    for (const signal of SIGNALS) process.off(signal, this.#onSignal).on(signal, this.#onSignal);
  }

  /** What is done from here on counts for itself, whether or not anybody reads of it. */
  ignoreOutputFailures(): void {
    this.#outputMatters = false;
  }

  /** To be called for failures of stdout. */
  outputFailed(error: NodeJS.ErrnoException): void {
    if (!this.#outputMatters) return;
    // A reader that closed its end early, like `head`, wants no more; that is no fault.
    if (error.code === 'EPIPE') process.exit(ExitCode.OK);
    tell(line`${EnvironmentError.from(error, 'write stdout').message}`);
    process.exit(ExitCode.ENVIRONMENT);
  }

  /** Takes something into custody. @returns ends that */
  take(charge: Charge): () => void {
    this.ignoreOutputFailures();
    this.#charges.push(charge);
    if (this.#isEndWanted) this.#saveAndStop();
    return () => {
      const at = this.#charges.indexOf(charge);
      if (at >= 0) this.#charges.splice(at, 1);
      // It was waited for.
      if (at >= 0 && this.#isEndWanted && !this.#isSaved && !this.#saving) this.#saveAndStop();
    };
  }

  /** Somebody wants the process to end, as soon as its machines can be saved: it is not to take any more. */
  get isEndWanted(): boolean {
    return this.#isEndWanted;
  }

  /**
   * For whose input has ended: a closed terminal ends it, too, and its signal comes after that. Resolves when what it
   * has saved is saved.
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

  /** Those that are saved stand still, should a later one fail. */
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

  /** To be called for errors that nobody has caught: their words may be those of a file, too. */
  uncaught(error: unknown): void {
    const held = this.#held;
    const [first, ...others] = inspect(error).split('\n');
    tell(lines([`Internal error: ${first}`, ...others.map(indent)]));
    if (held) tell(lines(['The machine is kept all the same.', held.ways()]));
    else process.exit(ExitCode.INTERNAL);
  }
}

export const custody = new Custody();
