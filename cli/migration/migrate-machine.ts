import { existsSync } from 'node:fs';
import { InterruptedError, SavkitError, UsageError } from '../../formats/errors.ts';
import { parseNumber } from '../../formats/values/number-text.ts';
import { recordPath } from '../../migrations/hand-over/decision-record.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import type { MigrationForecast } from '../../migrations/policy/forecast.ts';
import { keepReport } from '../../migrations/report/kept-report.ts';
import type { MigrationEvent, MigrationReport } from '../../migrations/report/report.ts';
import type { CompressionChoice } from '../../migrations/source/options.ts';
import { parseEndpoint } from '../../migrations/trust/endpoint.ts';
import { loadState } from '../../src/machine/load.ts';
import { carryOut, foretell, limitsOf, type OwnMachine } from '../control/carry-out.ts';
import { askMachine } from '../control/control-client.ts';
import type { LimitsInJson, MigrateRequest } from '../control/requests.ts';
import { isControlSocket } from '../control/socket-path.ts';
import { withInput } from '../io/input.ts';
import { ExitCode } from '../process/exit-codes.ts';
import type { CommonOptions, Job, Outcome } from '../process/run-command.ts';
import { line, NO_TEXT } from '../terminal/terminal-text.ts';
import { LiveReport } from '../text/live-report.ts';
import { forecastText, limitsText, reportText, tellEvent } from './migration-text.ts';
import { sourceTrust, type TrustOptions } from './trust-options.ts';
import { outcomeFromRecord, tellAfterCancel } from './whereabouts.ts';

export interface MigrateMachineOptions extends CommonOptions, TrustOptions {
  to?: string;
  maxDowntime?: number;
  stalledDowntime?: number;
  bandwidth?: string;
  timeLimit?: number;
  onTimeLimit?: 'cancel' | 'force' | 'throttle';
  streams: number;
  compression: CompressionChoice;
  proof: 'auto' | 'full' | 'audited';
  resumeWithin: number;
  records: string;
  dryRun: boolean;
  migration?: string;
  change: boolean;
}

/** Errors after which the machine's process cannot tell the outcome any more. */
const HAS_NO_VOICE = new Set(['truncated', 'no-answer']);

/** Payload rate of a gigabit link with TCP, in bytes per second. */
const ASSUMED_RATE = 117e6;

/** Migrates a machine that another process runs, or the machine of a saved state, which is loaded first. */
export async function migrateMachine(options: MigrateMachineOptions, job: Job): Promise<Outcome> {
  if (isControlSocket(job.file)) return migrateRunning(options, job);
  if (options.change)
    throw new UsageError(
      'usage',
      'Cannot change limits: expected the control socket of a machine that is being migrated',
    );
  const wish = wishOf(options);
  const machine = await withInput(job.file, (source) => loadState(source, { signal: job.signal }));
  const own: OwnMachine = { name: job.file, machine };
  if (options.dryRun)
    return dryRunOutcome(own.name, assumedRate(wish), await foretell(own, { ...wish, rate: assumedRate(wish) }));
  const request = await requestOf(options);
  const report = new LiveReport(options);
  try {
    return await outcomeOf(
      await carryOut(request, own, (event) => tellEvent(report, event), job.signal, job.signal),
      options,
      job.file,
    );
  } finally {
    report.stop();
  }
}

/** Asks the machine's process for the migration, and shows its progress. */
async function migrateRunning(options: MigrateMachineOptions, { file, signal }: Job): Promise<Outcome> {
  if (options.dryRun || options.change) return askOnce(options, file, signal);
  const report = new LiveReport(options);
  let migration: string | undefined;
  try {
    const request = await requestOf(options, () => askMachine(file, { command: 'status' }, () => {}, signal));
    const onEvent = (event: MigrationEvent) => {
      if (event.event === 'connected') migration = event.peer;
      tellEvent(report, event);
    };
    const moved = await askMachine(file, { command: 'migrate', request }, onEvent, signal);
    if (signal.aborted && moved.outcome === 'kept') throw new InterruptedError();
    return await outcomeOf(moved, options);
  } catch (error) {
    if (error instanceof InterruptedError) await tellAfterCancel(report, options.records, migration);
    else if (error instanceof SavkitError && HAS_NO_VOICE.has(error.code) && migration !== undefined)
      return await outcomeFromRecord(options.records, migration, error);
    throw error;
  } finally {
    report.stop();
  }
}

async function askOnce(options: MigrateMachineOptions, file: string, signal: AbortSignal): Promise<Outcome> {
  if (options.change) {
    const request = givenLimits(options);
    const now = await askMachine(file, { command: 'limits', request }, () => {}, signal);
    return {
      exitCode: ExitCode.OK,
      result: { action: 'change', limits: now },
      text: line`${file}: ${limitsText(now)}`,
    };
  }
  const wish = wishOf(options);
  const rate = assumedRate(wish);
  const told = await askMachine(file, { command: 'foretell', request: { ...wish, rate } }, () => {}, signal);
  return dryRunOutcome(file, rate, told);
}

/** The outcome of a dry run; a migration that would not end is neither an error nor a success. */
export function dryRunOutcome(machine: string, rate: number, told: MigrationForecast & { dirtyRate: number }): Outcome {
  const exitCode = told.converges ? ExitCode.OK : ExitCode.PARTLY;
  return { exitCode, result: { action: 'dry-run', machine, rate, ...told }, text: forecastText(machine, told, rate) };
}

/** The request, as far as options alone determine it. @throws UsageError for bad limits */
export function wishOf(options: MigrateMachineOptions): {
  limits: LimitsInJson;
  compression: MigrateRequest['compression'];
} {
  const limits = givenLimits(options);
  limitsOf(limits);
  return { limits, compression: options.compression };
}

export function assumedRate({ limits }: { limits: LimitsInJson }): number {
  return limits.bandwidth ?? ASSUMED_RATE;
}

/**
 * The whole request, with trust in the target. The user is asked for the code last, after all other checks of this
 * side.
 * @param lookFirst throws if there is no machine
 */
export async function requestOf(
  options: MigrateMachineOptions,
  lookFirst?: () => Promise<unknown>,
): Promise<MigrateRequest> {
  const { to, streams, proof, records, resumeWithin, migration } = options;
  if (to === undefined) throw new UsageError('usage', 'Cannot migrate: expected --to HOST:PORT');
  parseEndpoint(to);
  if (!Number.isInteger(streams) || streams < 1 || streams > 16)
    throw new UsageError('usage', `Cannot use --streams ${streams}: expected 1 to 16`);
  const wish = wishOf(options);
  await ensureFolder(records);
  if (migration !== undefined) checkMigration(migration, records);
  await lookFirst?.();
  const trust = await sourceTrust(options);
  const sent: MigrateRequest['trust'] =
    trust.kind === 'code' ? { kind: 'code', key: Buffer.from(trust.key).toString('hex') } : trust;
  return { ...wish, to, trust: sent, records, streams, proof, resumeWithinMs: resumeWithin * 1000, migration };
}

/** Refuses a number that the records have already, since it belongs to another migration for ever. */
function checkMigration(migration: string, records: string): void {
  if (!/^[0-9a-f]{32}$/.test(migration))
    throw new UsageError('bad-value', `--migration ${migration}: expected 32 hexadecimal digits in lower case`);
  const path = recordPath(records, migration, 'source');
  if (existsSync(path))
    throw new UsageError('usage', `Cannot use --migration ${migration}: ${path} is on record already`);
}

/** The limits in the options; infinity becomes null in JSON. */
function givenLimits({
  maxDowntime,
  stalledDowntime,
  bandwidth,
  timeLimit,
  onTimeLimit,
}: MigrateMachineOptions): LimitsInJson {
  return {
    maxDowntimeMs: maxDowntime,
    stalledDowntimeMs: stalledDowntime,
    bandwidth: bandwidth === undefined ? undefined : parseNumber(bandwidth) || null,
    timeLimitMs: timeLimit === undefined ? undefined : timeLimit === 0 ? null : timeLimit * 1000,
    onTimeLimit,
  };
}

/**
 * Keeps the report beside the record of the migration, and prints it.
 * @param file from which the machine was loaded, if any
 */
export async function outcomeOf(
  report: MigrationReport,
  { quiet, records }: { quiet: boolean; records: string },
  file?: string,
): Promise<Outcome> {
  // The migration is over, and a full disk does not change its outcome.
  await keepReport(records, report).catch(() => {});
  const isWhole = (report.proof?.afterwards?.lostPages ?? 0) === 0;
  const exitCode = {
    'handed-over': isWhole ? ExitCode.OK : ExitCode.BAD_FILE,
    kept: ExitCode.ENVIRONMENT,
    undecided: ExitCode.PARTLY,
  }[report.outcome];
  return {
    exitCode,
    result: { action: 'migrate', ...report, proof: report.proof ?? null },
    text: quiet && exitCode === ExitCode.OK ? NO_TEXT : reportText(report, file),
  };
}
