import { basename } from 'node:path';
import type { Argv } from 'yargs';
import { UsageError } from '../../../formats/errors.ts';
import { parseNumber } from '../../../formats/values/number-text.ts';
import { loadState } from '../../../src/machine/load.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import { emptyMachine } from '../../../src/running/empty-machine.ts';
import { RunningMachine } from '../../../src/running/running-machine.ts';
import { WORKLOAD_KINDS, WORKLOADS } from '../../../src/running/schedule.ts';
import { readTraceFrom, type Trace, TraceRecorder, traceLines } from '../../../src/running/trace.ts';
import type { WorkloadOptions } from '../../../src/running/workload.ts';
import { checkKeepFile, KEEP_IN_TEXT, keepFile } from '../../control/keep-file.ts';
import { defaultSocketPath, keepRunning } from '../../control/keep-running.ts';
import type { KeptMachine } from '../../control/kept-machine.ts';
import { machineDescription } from '../../control/operations.ts';
import { runOutcome } from '../../control/run-outcome.ts';
import { checkSocketPath } from '../../control/stale-socket.ts';
import { withInput } from '../../io/input.ts';
import { tryOutput, withOutput } from '../../io/output.ts';
import { valuesOfMachines } from '../../metrics/metrics.ts';
import { serveMetrics, withMetrics } from '../../metrics/metrics-server.ts';
import { command, type OptionsOf } from '../../parsing/options-of.ts';
import { NDJSON } from '../../parsing/shared-options.ts';
import { OwnHost, withHostOptions } from '../../process/host-options.ts';
import { type Job, type Outcome, runCommand, stepsOf, withCommonOptions } from '../../process/run-command.ts';
import { bad } from '../../terminal/styles.ts';
import { line } from '../../terminal/terminal-text.ts';
import { LiveReport } from '../../text/live-report.ts';

const RECORD_INTERVAL_MS = 10;
/** Time between two attempts to end a machine whose time is over. */
const STOP_AGAIN_MS = 50;
/** Pages that are looked at for sharing in a slice of 4 ms. */
const SHARE_PAGES = 256;

const workloadList = WORKLOAD_KINDS.map((kind) => `  ${kind.padEnd(8)} ${WORKLOADS[kind]}`).join('\n');

const builder = (argv: Argv) =>
  withMetrics(withHostOptions(withCommonOptions(argv)))
    .positional('state', {
      type: 'string',
      describe: 'Saved state to start from; a workload that it holds continues',
    })
    .option('ram', { type: 'string', requiresArg: true, describe: 'Start empty, with so much RAM, e.g. 64M' })
    .option('cpus', { type: 'number', requiresArg: true, describe: 'With --ram: number of CPUs; default: 1' })
    .option('workload', {
      choices: WORKLOAD_KINDS,
      describe: 'Kind of work that the guest does, one of those listed below',
    })
    .option('rate', { type: 'number', requiresArg: true, describe: 'Pages written per second; default: 1000' })
    .option('bytes', {
      type: 'number',
      requiresArg: true,
      describe: 'Bytes written in each page, 16 to 4096; default: 64',
    })
    .option('pages', {
      type: 'number',
      requiresArg: true,
      describe: 'Size of the hot set, or of the mapped memory of paging; default: 256',
    })
    .option('seed', {
      type: 'number',
      requiresArg: true,
      describe: 'Seed of the random writes: the same seed writes the same; default: 1',
    })
    .option('memory', {
      type: 'string',
      requiresArg: true,
      describe: 'Memory that the workload uses at most; default: all from 1 MiB on',
    })
    .option('trace', {
      type: 'string',
      requiresArg: true,
      describe: 'Workload trace: a file with the pages to write, as --record makes it',
    })
    .option('socket', { type: 'string', requiresArg: true, describe: 'Where to open the control socket' })
    .option('name', { type: 'string', requiresArg: true, describe: 'Name of the machine' })
    .option('for', { type: 'number', requiresArg: true, describe: 'Stop after so many seconds' })
    .option('keep-in', { type: 'string', requiresArg: true, describe: KEEP_IN_TEXT })
    .option('force', {
      type: 'boolean',
      alias: 'f',
      default: false,
      describe: 'With --keep-in: replace an existing file',
    })
    .option('record', {
      type: 'string',
      requiresArg: true,
      describe: 'File for a trace of the pages that the workload writes; it is written when the run ends',
    })
    .option('ndjson', NDJSON)
    .example(
      '$0 run --ram 256M --workload random --rate 5000 --socket vm.sock',
      'An empty machine; 5000 pages of it, 19.5 MiB, are written each second',
    )
    .example('$0 live-save vm.sock vm.sav', 'Save the machine while it runs')
    .example('$0 run vm.sav --socket vm.sock', 'Go on from there')
    .example(
      '$0 run --ram 64M --cpus 2 --workload paging --shadow PAE+NX,raw --socket vm.sock',
      'A guest with page tables of its own, on shadow tables in raw mode',
    )
    .example('$0 run --ram 64M --workload hot --record t.trace --for 10', 'Record which pages it writes, and when')
    .example(
      '$0 run --ram 64M --trace t.trace --socket vm.sock',
      'Write the same pages at the same times, as often as needed',
    )
    .epilogue(
      `Workloads:\n${workloadList}\n\nA workload overwrites the memory that it uses, and knows what each page ` +
        'must hold.',
    );
type Options = OptionsOf<typeof builder>;

export const runMachineCommand = command(builder, async (options) => {
  process.exitCode = await runCommand('run', [options.state ?? 'machine'], options, (job) => runMachine(options, job));
});

async function runMachine(options: Options, job: Job): Promise<Outcome> {
  if (options.record !== undefined) await tryOutput(options.record, {});
  await checkKeepFile(options);
  const socket = options.socket ?? defaultSocketPath();
  await checkSocketPath(socket);
  const host = new OwnHost(options);
  const machine = await startingPoint(options, job, host);
  await host.take(machine);
  const running = RunningMachine.of(machine, await workloadOf(options));
  const kept: KeptMachine = { name: options.name ?? basename(options.state ?? 'machine', '.sav'), running, host };
  const file = keepFile(kept.name, options);
  const report = new LiveReport(options);
  const recorder = options.record === undefined ? undefined : new TraceRecorder(running, RECORD_INTERVAL_MS);
  recorder?.start();
  if (host.sharing) running.background = () => host.sharing?.scan(SHARE_PAGES);
  const endMetrics = await serveMetrics(options, report, () => valuesOfMachines([kept]));
  running.onRuntimeError = (error) =>
    report.note(
      'runtime-error',
      line`${kept.name} waits: ${bad('the host has no memory left for it')}; control ${socket} resume tries again`,
      { error },
    );
  const timer = options.for === undefined ? undefined : stopAfter(running, options.for * 1000);
  const failure = await keepRunning(kept, {
    socket,
    file,
    signal: job.signal,
    onReady: () => {
      // The machine runs only once its socket is open, since a client may have to tell it at once to try again.
      running.resume();
      report.note('running', line`${kept.name} runs ${running.guest.kind}; control socket ${socket}`, {
        socket,
        pid: process.pid,
        keepIn: file.path,
        ...machineDescription(kept),
      });
    },
  }).catch((error) => {
    // A machine that runs keeps the process alive.
    timer?.end();
    recorder?.stop();
    endMetrics();
    running.release();
    throw error;
  });
  timer?.end();
  endMetrics();
  report.stop();
  if (recorder && options.record !== undefined) await writeTrace(options.record, recorder.stop());
  const defragmented = host.close();
  if (failure) throw failure;
  return runOutcome(kept, defragmented, options);
}

/**
 * Ends a machine after `ms`, or when a save or migration under way is over. A paused machine may be saved next, so it
 * ends only after it was resumed.
 */
function stopAfter(running: RunningMachine, ms: number): { end(): void } {
  const stop = () => {
    const waits = running.state === 'suspended' && running.runtimeError !== undefined;
    if ((running.state === 'running' || waits) && !running.isHeld) running.stop();
    else timer = setTimeout(stop, STOP_AGAIN_MS);
  };
  let timer = setTimeout(stop, ms);
  return { end: () => clearTimeout(timer) };
}

async function startingPoint({ state, ram, cpus }: Options, job: Job, { backing }: OwnHost): Promise<Machine> {
  if ((state === undefined) === (ram === undefined))
    throw new UsageError('usage', 'Cannot run machine: give a saved state, or --ram SIZE for an empty one');
  if (state !== undefined && cpus !== undefined)
    throw new UsageError('bad-combination', 'Cannot run machine: --cpus goes with --ram, a saved state has its own');
  if (state === undefined) return emptyMachine(parseNumber(ram ?? ''), { backing, cpus });
  return withInput(state, (source) => loadState(source, { ...stepsOf(job, source), backing }), { mayBeReplaced: true });
}

async function workloadOf(options: Options): Promise<WorkloadOptions | undefined> {
  const { rate, bytes: patternSize, pages, seed, memory, trace } = options;
  const kind = options.workload ?? (trace === undefined ? undefined : 'trace');
  if ((kind === 'trace') !== (trace !== undefined))
    throw new UsageError(
      'usage',
      `Cannot run workload ${kind}: ` +
        `${trace === undefined ? 'it needs a --trace FILE' : '--trace goes with workload trace'}`,
    );
  const given = { rate, patternSize, pages, seed, size: memory === undefined ? undefined : parseNumber(memory) };
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (kind === undefined) {
    if (Object.keys(set).length > 0 || options.state === undefined)
      throw new UsageError('usage', `Cannot run machine: which --workload? ${WORKLOAD_KINDS.join(', ')}`);
    return undefined;
  }
  return { kind, ...set, trace: trace === undefined ? undefined : await withInput(trace, readTraceFrom) };
}

async function writeTrace(path: string, trace: Trace): Promise<void> {
  await withOutput(path, {}, async (sink) => {
    for (const line of traceLines(trace)) await sink.write(Buffer.from(`${line}\n`));
    return { keep: true, value: undefined };
  });
}
