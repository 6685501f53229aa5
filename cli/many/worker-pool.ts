import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { whenAborted } from '../../formats/aborting.ts';
import { EnvironmentError, systemCodeOf } from '../../formats/errors.ts';
import { findingOf } from '../../src/saved-state/reading/findings.ts';
import { addressOf, heldAddresses } from '../io/addresses.ts';
import { stop } from '../io/stop.ts';
import { ExitCode } from '../process/exit-codes.ts';
import { SAVKIT } from '../process/own-program.ts';
import type { Done } from '../process/run-command.ts';
import { textOfOwnProcess } from '../terminal/own-process.ts';
import { outputStyle } from '../terminal/print.ts';
import { line, NO_TEXT } from '../terminal/terminal-text.ts';
import type { FileOptions } from './file-command.ts';
import { type FileAnswer, type FileTask, WORKER_VARIABLE, type WorkerStart } from './worker-messages.ts';

interface Worker {
  child: ChildProcess;
  /** The file that the process works on, or has worked on last. */
  file: string;
  answer: (done: Done) => void;
}

/** Processes of savkit that each work on one file at a time. A file that makes its process crash stops no other one. */
export class WorkerPool {
  readonly #start: WorkerStart;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<ChildProcess>();
  readonly #forget: () => void;

  constructor(command: string, options: FileOptions, jobs: number) {
    // Threads of several processes would wait for each other.
    const threads = Math.max(1, Math.floor(availableParallelism() / jobs));
    this.#start = { command, options: { threads, ...options }, addresses: heldAddresses(), style: outputStyle() };
    this.#forget = whenAborted(stop.signal, () => {
      for (const child of this.#all) if (child.connected) child.send('stop');
    });
  }

  /**
   * Never rejects: failures are part of the result. To be called for at most as many files at a time as there are jobs.
   */
  run(task: FileTask): Promise<Done> {
    const worker = this.#idle.pop() ?? this.#fork();
    return new Promise((resolve) => {
      worker.answer = resolve;
      worker.file = task.file;
      worker.child.send({ ...task, address: addressOf(task.file) });
    });
  }

  async close(): Promise<void> {
    this.#forget();
    const ends = [...this.#all].map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of this.#all) if (child.connected) child.disconnect();
    await Promise.all(ends);
  }

  #fork(): Worker {
    const child = fork(SAVKIT, [], {
      env: { ...process.env, [WORKER_VARIABLE]: '1' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    const worker: Worker = { child, file: '', answer: () => {} };
    child.on('message', (answer: FileAnswer) => {
      this.#idle.push(worker);
      worker.answer({ ...answer, text: textOfOwnProcess(answer.text), told: textOfOwnProcess(answer.told) });
    });
    const end = (how: string, code: number | null) => {
      this.#all.delete(child);
      if (this.#idle.includes(worker)) this.#idle.splice(this.#idle.indexOf(worker), 1);
      else worker.answer(lost(worker.file, how, code));
    };
    child.on('exit', (code, signal) => end(`has ended (${signal ?? `exit code ${code}`})`, code));
    child.on('error', (error) => {
      // A child with a PID was started, so the error is about a message to it, and its exit follows.
      if (child.pid === undefined) end(`could not be started (${systemCodeOf(error)})`, null);
    });
    this.#all.add(child);
    child.send(this.#start);
    return worker;
  }
}

/** @param how completes "the process that worked on it" */
function lost(file: string, how: string, code: number | null): Done {
  const error = new EnvironmentError('worker-ended', `Cannot finish ${file}: the process that worked on it ${how}`);
  const exitCode = code === ExitCode.INTERNAL ? ExitCode.INTERNAL : ExitCode.ENVIRONMENT;
  return {
    result: { file, exitCode, findings: [], result: null, error: findingOf(error) },
    text: NO_TEXT,
    told: line`${error.message}`,
  };
}
