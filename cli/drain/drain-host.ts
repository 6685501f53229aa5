import { type SavkitError, UsageError } from '../../formats/errors.ts';
import { SECRET_VARIABLES } from '../../formats/world/secret-variables.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import { defaultSocketFolders } from '../control/keep-running.ts';
import { sourceTrustAndCode, type TrustOptions } from '../migration/trust-options.ts';
import { expectWholeNumber } from '../parsing/whole-number.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { CommonOptions, Job, Outcome } from '../process/run-command.ts';
import { line, NO_TEXT } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { Drain, type DrainedMachine } from './drain.ts';
import { DrainJournal } from './drain-journal.ts';
import { drainText, dryRunText, tellDrainEvent } from './drain-text.ts';
import { dryRun } from './dry-run.ts';
import { type FoundMachine, findMachines } from './find-machines.ts';
import { isPlan, MOST_SLOTS, PLAN_FORMAT, readPlan } from './plan.ts';
import { DrainTarget } from './targets.ts';

export interface DrainCommandOptions extends CommonOptions, TrustOptions {
  machines: string[];
  to?: string[];
  jobs?: number;
  perTarget?: number;
  dryRun: boolean;
  journal?: string;
  resume: boolean;
  sharedDisks: boolean;
  maxDowntime?: number;
  bandwidth?: string;
  timeLimit?: number;
  resumeWithin?: number;
  records: string;
  peerRecords: string[];
}

const DEFAULT_SLOTS = 2;

/** Moves the machines of this host to others. */
export async function drainHost(given: DrainCommandOptions, { signal }: Job): Promise<Outcome> {
  const options = await withPlan(given);
  const { jobs = DEFAULT_SLOTS, perTarget = DEFAULT_SLOTS, to = [] } = options;
  expectWholeNumber('jobs', jobs, MOST_SLOTS);
  expectWholeNumber('per-target', perTarget, MOST_SLOTS);
  if (to.length === 0) throw new UsageError('usage', 'Cannot drain: expected --to HOST:PORT, of one target or more');
  // The user is asked for the code once; the processes that move machines get it in their environment.
  const { trust, code } = await sourceTrustAndCode(options);
  const env: NodeJS.ProcessEnv = code === undefined ? {} : { [SECRET_VARIABLES.pairingCode]: code };
  const targets = [...new Set(to)].map((each) => new DrainTarget(each, trust));
  const words = migrateWords(options);
  if (!options.dryRun) await ensureFolder(options.records);
  const journal = await DrainJournal.open(options.journal, options.resume);
  const report = new LiveReport(options);
  try {
    const { found, lost } = await lookAround(options, journal, report, signal);
    if (options.dryRun) {
      const unanswered = lost.map(({ machine, because }) => ({ machine, because }));
      const told = await dryRun(found, unanswered, targets, limitWords(options), jobs, signal);
      const canGo = told.moves.every(({ to: where, forecast }) => where !== null && forecast.isPossible);
      const plan = { plan: PLAN_FORMAT, machines: found.map(({ machine }) => machine), to, jobs, perTarget };
      return {
        exitCode: canGo && lost.length === 0 ? ExitCode.OK : ExitCode.PARTLY,
        result: { action: 'drain-dry-run', ...told, plan },
        text: dryRunText(told),
      };
    }
    const fates = {
      records: options.records,
      peerRecords: options.peerRecords,
      signal,
      onWait: ({ machine, migration, pid }: { machine: string; migration: string; pid: number }) =>
        report.note('waiting', line`${machine}: still under way, by process ${pid}; waits for it`, {
          machine,
          migration,
        }),
    };
    const drain = new Drain({
      ...{ machines: found, targets, jobs, perTarget, journal, fates, signal },
      migrate: { words, env },
      onEvent: (event) => tellDrainEvent(report, event),
    });
    const machines = [...(await drain.run()), ...lost];
    if (drain.noJournal !== undefined)
      report.note('no-journal', line`${drain.noJournal}; the records tell which migrations were under way`, {
        message: drain.noJournal,
      });
    return outcomeOf(machines, targets, drain.halted, options.quiet);
  } finally {
    report.stop();
    await journal.close();
  }
}

/** Fills options that the command line leaves out from a plan. */
async function withPlan(options: DrainCommandOptions): Promise<DrainCommandOptions> {
  const plans = options.machines.filter(isPlan);
  if (plans.length === 0) return options;
  if (options.machines.length > 1) throw new UsageError('usage', 'Cannot drain: expected one plan, or machines');
  const { machines, to, jobs, perTarget } = await readPlan(plans[0]);
  const slots = { ...(jobs === undefined ? {} : { jobs }), ...(perTarget === undefined ? {} : { perTarget }) };
  const own = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  return { to, ...slots, ...own, machines } as DrainCommandOptions;
}

function limitWords({ maxDowntime, bandwidth, timeLimit, sharedDisks }: DrainCommandOptions): string[] {
  return [
    ...(maxDowntime === undefined ? [] : ['--max-downtime', String(maxDowntime)]),
    ...(bandwidth === undefined ? [] : ['--bandwidth', bandwidth]),
    ...(timeLimit === undefined ? [] : ['--time-limit', String(timeLimit)]),
    ...(sharedDisks ? ['--shared-disks'] : []),
  ];
}

/** The part of the command line that each migration gets; the pairing code goes into its environment. */
function migrateWords(options: DrainCommandOptions): string[] {
  const { cert, key, ca, peerName, insecure, resumeWithin } = options;
  const files = Object.entries({ cert, key, ca, 'peer-name': peerName });
  return [
    ...limitWords(options),
    ...files.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value])),
    ...(insecure ? ['--insecure'] : []),
    ...(resumeWithin === undefined ? [] : ['--resume-within', String(resumeWithin)]),
  ];
}

/** Finds the machines that answer, and named machines without an answer that the journal may know. */
async function lookAround(
  { machines }: DrainCommandOptions,
  { before }: DrainJournal,
  report: LiveReport,
  signal: AbortSignal,
): Promise<{ found: FoundMachine[]; lost: DrainedMachine[] }> {
  const lost: DrainedMachine[] = [];
  const words = machines.length > 0 ? machines : defaultSocketFolders().slice(0, 1);
  const found = await findMachines(words, signal, (machine, { message }: SavkitError, isNamed) => {
    if (before.has(machine) || before.has(`qmp:${machine}`)) return;
    if (!isNamed) return report.note('skipped', line`${machine}: ${message}`, { machine, message });
    const nowhere = { bytes: 0, runs: false, to: null, migration: null, attempts: 0 };
    lost.push({ machine, name: machine, ...nowhere, outcome: 'unknown', because: message });
  });
  return { found, lost };
}

function outcomeOf(
  machines: readonly DrainedMachine[],
  targets: readonly DrainTarget[],
  halted: string | undefined,
  quiet: boolean,
): Outcome {
  const isDone = machines.every(({ outcome }) => outcome === 'moved');
  const result = {
    action: 'drain',
    machines: machines.map(({ code = null, downtimeMs = null, ...each }) => ({ ...each, code, downtimeMs })),
    targets: targets.map(({ to, moved, stoppedBecause }) => ({ to, moved, because: stoppedBecause ?? null })),
    halted: halted ?? null,
  };
  const text = drainText(machines, targets, halted);
  return { exitCode: isDone ? ExitCode.OK : ExitCode.PARTLY, result, text: quiet && isDone ? NO_TEXT : text };
}
