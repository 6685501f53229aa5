import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { EnvironmentError, type SavkitError } from '../../formats/errors.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';

/** QEMU opens its socket within milliseconds; a large image, or a machine under load, takes seconds. */
const START_MS = 60_000;
const LOOK_MS = 10;
/** Of what QEMU has said, as much as an error can show. */
const SAID = 500;

/** A QEMU that this process has started, and that lives on when this process ends. */
export class QemuProcess {
  readonly pid: number;
  readonly qmpPath: string;
  /** File with all that it says. */
  readonly logPath: string;
  /** Resolves when it has ended: with its last words. */
  readonly ended: Promise<SavkitError>;
  readonly #child: ChildProcess;
  #ended: string | undefined;

  private constructor(child: ChildProcess, qmpPath: string, logPath: string) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.qmpPath = qmpPath;
    this.logPath = logPath;
    this.ended = new Promise((resolve) => {
      const end = (how: string) => {
        this.#ended = how;
        resolve(this.whyEnded());
      };
      child.once('exit', (code, signal) => end(signal ?? `exit code ${code}`));
      child.once('error', (error) => end(error.message));
    });
    child.unref();
  }

  /** @param folder for its log @param qmpPath the socket that `words` have it open */
  static start(program: string, words: readonly string[], folder: string, qmpPath: string): QemuProcess {
    const logPath = join(folder, 'log');
    const log = openSync(logPath, 'a', 0o600);
    try {
      const child = spawn(program, words, { detached: true, stdio: ['ignore', log, log] });
      return new QemuProcess(child, qmpPath, logPath);
    } catch (error) {
      throw EnvironmentError.from(error, `start ${program}`);
    } finally {
      closeSync(log);
    }
  }

  /** Connects as soon as it listens. @throws MigrationError `qemu-ended` with its last words */
  async connect(): Promise<QmpClient> {
    for (const end = performance.now() + START_MS; ; await setTimeout(LOOK_MS)) {
      if (this.#ended !== undefined) throw this.whyEnded();
      try {
        return await QmpClient.connect(this.qmpPath);
      } catch (error) {
        if (performance.now() > end) throw error;
      }
    }
  }

  /** Why it is not there any more, in its own words. */
  whyEnded(): SavkitError {
    const said = lastWords(this.logPath);
    return new MigrationError(
      'qemu-ended',
      `QEMU has ended (${this.#ended ?? 'no exit code yet'})${said === '' ? '' : `: ${said}`}`,
    );
  }

  /** Resolves when it has ended, within a moment. @returns whether it has */
  async hasEnded(withinMs = 1000): Promise<boolean> {
    for (const end = performance.now() + withinMs; this.#ended === undefined && performance.now() < end; )
      await setTimeout(LOOK_MS);
    return this.#ended !== undefined;
  }

  kill(): void {
    if (this.#ended === undefined) this.#child.kill('SIGKILL');
  }
}

/** Messages are prefixed with the name of the program, and some are only warnings. */
function lastWords(path: string): string {
  try {
    const rows = readFileSync(path, 'utf8')
      .split('\n')
      .filter((row) => row.trim() !== '' && !/: warning: /.test(row));
    return rows
      .map((row) => row.replace(/^\S*qemu-system-\w+: /, ''))
      .join('; ')
      .slice(0, SAID);
  } catch {
    return '';
  }
}
