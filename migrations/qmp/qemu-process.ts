import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { EnvironmentError, InterruptedError, type SavkitError } from '../../formats/errors.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { QmpClient } from './qmp-client.ts';

/** QEMU opens its socket within milliseconds; a large image, or a machine under load, takes seconds. */
const START_MS = 60_000;
const LOOK_MS = 10;
/** Characters of QEMU's words that are kept, and those that an error shows. */
const HEARD = 4096;
const SHOWN = 500;

/** Where the words of a QEMU go. */
export type QemuOutput =
  /** To a file: it lives on when this process ends. */
  | { logPath: string }
  /** To this process, piece by piece; the machine itself talks to the terminal where it is shown. */
  | { onWords?: ((words: string) => void) | undefined; isShown?: boolean };

/** A QEMU that this process has started. */
export class QemuProcess {
  readonly pid: number;
  readonly qmpPath: string;
  /** The file with its words, where they go to one. */
  readonly logPath: string;
  /** Resolves when it has ended: with its last words. */
  readonly ended: Promise<SavkitError>;
  readonly #child: ChildProcess;
  readonly #said: () => string;
  #end: string | undefined;
  #exitCode: number | null = null;
  /** There is no such program, or it cannot be run. */
  #failure: EnvironmentError | undefined;

  private constructor(program: string, child: ChildProcess, qmpPath: string, logPath: string, said: () => string) {
    this.#child = child;
    this.#said = said;
    this.pid = child.pid ?? 0;
    this.qmpPath = qmpPath;
    this.logPath = logPath;
    this.ended = new Promise((resolve) => {
      // By then all of its words have come.
      child.once('close', (code, signal) => {
        this.#end ??= signal ?? `exit code ${code}`;
        this.#exitCode = code;
        resolve(this.whyEnded());
      });
      child.once('error', (error) => {
        this.#end = error.message;
        this.#failure = EnvironmentError.from(error, `start ${program}`);
        resolve(this.#failure);
      });
    });
  }

  /** @param qmpPath the socket that `words` have it open @throws EnvironmentError */
  static start(program: string, words: readonly string[], qmpPath: string, output: QemuOutput): QemuProcess {
    if (!('logPath' in output)) {
      const io = output.isShown ? 'inherit' : 'ignore';
      // Ctrl-C on the terminal of a machine that is shown is for this process, which knows what would be lost.
      const child = spawn(program, words, { stdio: [io, io, 'pipe'], detached: output.isShown === true });
      return new QemuProcess(program, child, qmpPath, '', listenTo(child, output.onWords));
    }
    const { logPath } = output;
    const log = openSync(logPath, 'a', 0o600);
    try {
      const child = spawn(program, words, { detached: true, stdio: ['ignore', log, log] });
      child.unref();
      return new QemuProcess(program, child, qmpPath, logPath, () => textOf(logPath));
    } catch (error) {
      throw EnvironmentError.from(error, `start ${program}`);
    } finally {
      closeSync(log);
    }
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** It has ended by itself, and without a fault. */
  get endedWell(): boolean {
    return this.#exitCode === 0;
  }

  /**
   * Connects as soon as it listens.
   * @throws MigrationError `qemu-ended` with its last words; EnvironmentError where there is no such program;
   * InterruptedError
   */
  async connect(signal?: AbortSignal): Promise<QmpClient> {
    for (const end = clock() + START_MS; ; await sleep(LOOK_MS, { signal })) {
      if (this.isOver) throw this.whyEnded();
      if (signal?.aborted) throw new InterruptedError();
      try {
        return await QmpClient.connect(this.qmpPath, { signal });
      } catch (error) {
        if (clock() > end || !(error instanceof EnvironmentError)) throw error;
      }
    }
  }

  /** Why it is not there any more, in its own words. */
  whyEnded(): SavkitError {
    if (this.#failure) return this.#failure;
    const words = this.lastWords();
    return new MigrationError(
      'qemu-ended',
      `QEMU has ended (${this.#end ?? 'no exit code yet'})${words === '' ? '' : `: ${words}`}`,
    );
  }

  /** Resolves when it has ended, within a moment. @returns whether it has */
  async hasEnded(withinMs = 1000): Promise<boolean> {
    await Promise.race([this.ended, sleep(withinMs, { keepsAlive: false })]);
    return this.isOver;
  }

  /**
   * What it has said last, in one line. Messages begin with the name of the program, and some are only warnings.
   * @param warns true: those, too, as they may tell why QEMU has ended
   */
  lastWords(warns = false): string {
    return this.#said()
      .split('\n')
      .map((row) => row.trim().replace(/^\S*qemu-system-\w+: /, ''))
      .filter((row) => row !== '' && (warns || !/^warning: /.test(row)))
      .join('; ')
      .slice(-SHOWN);
  }

  kill(): void {
    if (!this.isOver) this.#child.kill('SIGKILL');
  }
}

/** Keeps the last of what QEMU says. */
function listenTo(child: ChildProcess, onWords: ((words: string) => void) | undefined): () => string {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    said = (said + piece).slice(-HEARD);
    onWords?.(piece);
  });
  return () => said;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The folder goes with the guest.
    return '';
  }
}
