import { lstatSync } from 'node:fs';
import { ownError } from '../../formats/errors.ts';
import { systemDate } from '../../formats/world/waiting.ts';
import { findingOf } from '../../src/saved-state/reading/findings.ts';
import { releaseAddress } from '../io/addresses.ts';
import { lockOf } from '../io/held-alone.ts';
import { forgetInputs } from '../io/input.ts';
import { takeOnlyFiles } from '../io/only-files.ts';
import { stop } from '../io/stop.ts';
import { ExitCode, exitCodeOf } from '../process/exit-codes.ts';
import { type Done, isForPrograms, NO_STATE, present, runOne, watchSignals } from '../process/run-command.ts';
import { redraws, tell } from '../terminal/print.ts';
import { ProgressBar } from '../terminal/progress-bar.ts';
import { line, NO_TEXT } from '../terminal/terminal-text.ts';
import { DocumentWriter } from './document-writer.ts';
import type { FileCommand, FileOptions } from './file-command.ts';
import { fileEvent } from './file-event.ts';
import { type GivenFile, givenFiles } from './given-files.ts';
import { OwnOutputs, placeInto } from './into.ts';
import { type Identity, identityOf, Journal } from './journal.ts';
import { expectMetrics, metricsText, writeMetrics } from './metrics.ts';
import { isForMany } from './options.ts';
import { summaryText, Tally, wordOf } from './summary.ts';
import type { FileTask } from './worker-messages.ts';
import { WorkerPool } from './worker-pool.ts';

/** A file on its way through a command. */
interface Entry extends GivenFile {
  /** Counted from 1. */
  number: number;
  identity: Identity;
}

/** Options about the selection of files and the output; all others are part of the operation on each file. */
const HOW = [
  ...['_', '$0', 'files', 'recursive', 'r', 'filesFrom', 'files-from', 'null', '0', 'jobs', 'threads'],
  ...['ndjson', 'json', 'quiet', 'q', 'journal', 'resume', 'metrics', 'force', 'f'],
];

/**
 * Runs a command over any number of files, in order or several side by side, and reports each as soon as it is done.
 * Only counts of finished files are kept. @returns the exit code
 */
export async function runFiles<T extends FileOptions>(command: FileCommand<T>, options: T): Promise<ExitCode> {
  watchSignals();
  const writer = new DocumentWriter(command.name, options);
  const tally = new Tally();
  const start = performance.now();
  let isCut = false;
  try {
    const { metrics } = options;
    if (metrics !== undefined) await expectMetrics(metrics);
    const run = new FileRun(command, options, writer, tally);
    await run.run();
    const seconds = (performance.now() - start) / 1000;
    isCut = run.isCut;
    if (metrics !== undefined && !isCut)
      await writeMetrics(metrics, metricsText(command.name, tally.summary, tally.exitCode, seconds, systemDate()));
  } catch (thrown) {
    const error = ownError(thrown);
    const exitCode = exitCodeOf(error);
    if (!isForPrograms(options)) tell(line`${error.message}`);
    await writer.end(exitCode, tally.summary, findingOf(error));
    return exitCode;
  }
  const exitCode = isCut ? ExitCode.INTERRUPTED : tally.exitCode;
  await writer.end(exitCode, tally.summary);
  // For a few named files, the summary says little: it is shown on terminals only.
  const isWanted = isForMany(options) || (tally.files > 1 && redraws());
  if (isWanted && !options.quiet && !isForPrograms(options)) tell(summaryText(tally.summary));
  return exitCode;
}

class FileRun<T extends FileOptions> {
  readonly #command: FileCommand<T>;
  readonly #options: T;
  readonly #writer: DocumentWriter;
  readonly #tally: Tally;
  readonly #outputs = new OwnOutputs();
  #journal: Journal | undefined;
  /** A signal came before all files were done. */
  isCut = false;

  constructor(command: FileCommand<T>, options: T, writer: DocumentWriter, tally: Tally) {
    this.#command = command;
    this.#options = options;
    this.#writer = writer;
    this.#tally = tally;
  }

  async run(): Promise<void> {
    const { files, filesFrom, recursive, jobs } = this.#options;
    await this.#openJournal();
    takeOnlyFiles(filesFrom !== undefined);
    const isOne = files.length === 1 && filesFrom === undefined && !recursive;
    const pool = jobs > 1 && !isOne ? new WorkerPool(this.#command.name, this.#options, jobs) : undefined;
    const running = new Set<Promise<void>>();
    try {
      for await (const entry of this.#entries()) {
        this.isCut = stop.signal.aborted;
        if (this.isCut) break;
        const work = this.#take(entry, pool).finally(() => running.delete(work));
        running.add(work);
        // The first failure ends the run; its consequences in other workers are ignored.
        work.catch(() => {});
        if (running.size >= (pool ? jobs : 1)) await Promise.race(running);
      }
      await Promise.all(running);
      // A signal ends the reading of a list early.
      if (filesFrom !== undefined && stop.signal.aborted) this.isCut = true;
    } finally {
      takeOnlyFiles(false);
      await pool?.close();
      await this.#journal?.close();
    }
  }

  async #openJournal(): Promise<void> {
    const { journal, resume } = this.#options;
    if (journal === undefined) return;
    const decisive = Object.entries(this.#options).filter(([name]) => !HOW.includes(name));
    const operation = { command: this.#command.name, options: Object.fromEntries(decisive.sort()) };
    this.#journal = await Journal.open(journal, operation, resume, ({ exitCode, outcome, isFound }) =>
      this.#tally.add(isFound && outcome === NO_STATE ? ExitCode.OK : exitCode, outcome, true),
    );
  }

  /** Files to work on, without those that the journal lists as done. */
  async *#entries(): AsyncGenerator<Entry> {
    const { files, journal, into } = this.#options;
    const leaveOut = [
      ...(journal === undefined ? [] : [journal, lockOf(journal)]),
      ...(into === undefined ? [] : [into]),
    ];
    let number = 0;
    for await (const given of givenFiles(files, this.#options, leaveOut)) {
      const identity = await identityOf(given.file);
      number++;
      if (this.#journal?.has(identity)) releaseAddress(given.file);
      else yield { ...given, number, identity };
    }
  }

  async #take(entry: Entry, pool: WorkerPool | undefined): Promise<void> {
    const done = await this.#work(entry, pool);
    forgetInputs();
    releaseAddress(entry.file);
    await this.#note(entry, done);
  }

  async #work({ file, identity, number }: Entry, pool: WorkerPool | undefined): Promise<Done> {
    const { name, perFile } = this.#command;
    const { into, quiet } = this.#options;
    const task: FileTask = { file };
    const isShown = !pool && !quiet && !isForPrograms(this.#options);
    const job = { file, signal: stop.signal, progress: new ProgressBar(name, file, isShown, this.#count(number)) };
    try {
      if (into !== undefined) await this.#place(into, task, identity);
    } catch (error) {
      return runOne(name, job, this.#options, () => Promise.reject(error));
    }
    if (pool && file !== '-') return pool.run(task);
    const options = { ...this.#options, ...task };
    return runOne(name, job, options, (each) => perFile(each, options));
  }

  /** Chooses the output of a file. An existing output may be replaced only if a killed process has left it. */
  async #place(into: string, task: FileTask, identity: Identity): Promise<void> {
    task.output = await placeInto(into, task.file, this.#command, this.#options);
    // Without these options no existing output is replaced.
    if (this.#options.resume || (this.#options as { force?: boolean }).force)
      this.#outputs.take(task.output, task.file);
    if (this.#journal?.hadBegun(identity)) task.force = true;
    // An existing output is not noted as begun, as a later process must not replace it.
    else if (!lstatSync(task.output, { throwIfNoEntry: false })) await this.#journal?.begin(identity);
  }

  /** Number of a file for people: `file 3 of 8`; empty for a single file. */
  #count(number: number): string {
    const { files, filesFrom, recursive } = this.#options;
    if (recursive || filesFrom !== undefined) return `file ${number}`;
    return files.length > 1 ? `file ${number} of ${files.length}` : '';
  }

  async #note({ isFound, identity }: Entry, done: Done): Promise<void> {
    const { exitCode } = done.result;
    if (exitCode === ExitCode.INTERRUPTED) {
      this.isCut = true;
      return;
    }
    const { word = wordOf(exitCode) } = done;
    // A folder may hold files other than states, which is no failure.
    const isPassedOver = isFound && word === NO_STATE;
    const event = fileEvent(this.#command.name, { ...identity, isFound, outcome: word }, done.result);
    await this.#writer.file(event, done.result);
    if (!isForPrograms(this.#options)) await present(isPassedOver ? { ...done, text: NO_TEXT, told: NO_TEXT } : done);
    await this.#journal?.add(event);
    this.#tally.add(isPassedOver ? ExitCode.OK : exitCode, word);
  }
}
