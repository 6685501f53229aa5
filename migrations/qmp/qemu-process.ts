import { EnvironmentError, InterruptedError, type SavkitError } from '../../formats/errors.ts';
import { closeFile } from '../../formats/files/temporary-files.ts';
import type { Programs, StartedProgram } from '../../formats/world/programs.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { QmpClient } from './qmp-client.ts';

/** QEMU opens its socket within milliseconds; a large image, or a machine under load, takes seconds. */
const START_MS = 60_000;
const LOOK_MS = 10;
/** Number of characters of QEMU's output that are kept, and that an error shows. */
const HEARD = 4096;
const SHOWN = 500;

/** Destination of a QEMU's output. */
export type QemuOutput =
  /** To a file; QEMU then outlives this process. */
  | { logPath: string }
  /** To this process, piece by piece; a shown machine also has the terminal. */
  | { onWords?: ((words: string) => void) | undefined; isShown?: boolean };

/** A QEMU that this process has started. */
export class QemuProcess {
  readonly pid: number;
  readonly qmpPath: string;
  /** File with the output; empty if the output goes to this process. */
  readonly logPath: string;
  /** Resolves when QEMU has ended, with its last output. */
  readonly ended: Promise<SavkitError>;
  readonly #child: StartedProgram;
  readonly #said: () => string;
  #end: string | undefined;
  #exitCode: number | null = null;
  /** The program does not exist, or cannot be run. */
  #failure: EnvironmentError | undefined;

  private constructor(program: string, child: StartedProgram, qmpPath: string, logPath: string, said: () => string) {
    this.#child = child;
    this.#said = said;
    this.pid = child.pid ?? 0;
    this.qmpPath = qmpPath;
    this.logPath = logPath;
    this.ended = new Promise((resolve) => {
      // At `close` all output has arrived.
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

  /** @param qmpPath the socket that the options in `words` open @throws EnvironmentError */
  static start(program: string, words: readonly string[], qmpPath: string, output: QemuOutput): QemuProcess {
    if (!('logPath' in output)) {
      const io = output.isShown ? 'inherit' : 'ignore';
      // Ctrl-C on the terminal of a shown machine is for this process, which saves the machine first.
      const child = startProgram(program, words, {
        stdio: [io, io, 'pipe'],
        detached: output.isShown === true,
      });
      return new QemuProcess(program, child, qmpPath, '', listenTo(child, output.onWords));
    }
    const { logPath } = output;
    const log = openLog(logPath);
    try {
      const child = startProgram(program, words, { detached: true, stdio: ['ignore', log, log] });
      child.unref();
      return new QemuProcess(program, child, qmpPath, logPath, () => textOf(logPath));
    } finally {
      closeFile(log);
    }
  }

  get isOver(): boolean {
    return this.#end !== undefined;
  }

  /** QEMU has ended by itself without a fault. */
  get endedWell(): boolean {
    return this.#exitCode === 0;
  }

  /**
   * Connects as soon as QEMU listens.
   * @throws MigrationError `qemu-ended` with QEMU's last output; EnvironmentError if the program does not exist;
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

  /** The reason why QEMU has ended, from its output. */
  whyEnded(): SavkitError {
    if (this.#failure) return this.#failure;
    const words = this.lastWords();
    return new MigrationError(
      'qemu-ended',
      `QEMU has ended (${this.#end ?? 'no exit code yet'})${words === '' ? '' : `: ${words}`}`,
    );
  }

  /** Waits a moment for QEMU's end. @returns whether it has ended */
  async hasEnded(withinMs = 1000): Promise<boolean> {
    await Promise.race([this.ended, sleep(withinMs, { keepsAlive: false })]);
    return this.isOver;
  }

  /**
   * QEMU's last messages in one line, without the program's name.
   * @param warns with warnings, which may tell why QEMU has ended
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

/** Keeps the end of QEMU's output. */
function listenTo(child: StartedProgram, onWords: ((words: string) => void) | undefined): () => string {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    said = (said + piece).slice(-HEARD);
    onWords?.(piece);
  });
  return () => said;
}

/** @throws EnvironmentError for failures that the system tells at once; others come as an event */
function startProgram(...[program, words, options]: Parameters<Programs['start']>): StartedProgram {
  try {
    return world.programs.start(program, words, options);
  } catch (cause) {
    throw EnvironmentError.from(cause, `start ${program}`);
  }
}

/** @throws EnvironmentError */
function openLog(path: string): number {
  try {
    return world.disk.openSync(path, 'a', 0o600);
  } catch (cause) {
    throw EnvironmentError.from(cause, `make ${path}`);
  }
}

function textOf(path: string): string {
  try {
    return world.disk.readFileSync(path, 'utf8');
  } catch {
    // The folder is removed with the guest.
    return '';
  }
}
