import { stat } from 'node:fs/promises';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import { DEFAULT_LIMITS } from '../../migrations/policy/limits.ts';
import type { MigrationEvent, MigrationReport } from '../../migrations/report.ts';
import { loadState } from '../../src/saved-state/load.ts';
import { parseAddress } from '../address.ts';
import type { CommonOptions, Job, Outcome } from '../command.ts';
import { ExitCode } from '../exit-codes.ts';
import { withInput } from '../input.ts';
import { LiveReport } from '../live-report.ts';
import { carryOut, foretell, limitsOf, type MigrateRequest, type OwnMachine } from './carry-out.ts';
import { forecastText, reportText, tellEvent } from './migration-text.ts';
import { sourceTrust, type TrustOptions } from './trust-options.ts';

export interface MigrateMachineOptions extends CommonOptions, TrustOptions {
  to?: string;
  maxDowntime: number;
  stalledDowntime: number;
  bandwidth?: string;
  timeLimit: number;
  onTimeLimit: 'cancel' | 'force' | 'throttle';
  streams: number;
  compression: 'auto' | 'always' | 'never';
  proof: 'auto' | 'full' | 'audited';
  resumeWithin: number;
  records: string;
  dryRun: boolean;
}

/** A gigabit link, less what TCP takes. */
const ASSUMED_RATE = 117e6;

/** Migrates a machine that another process runs, or one from a saved state, which is loaded for it. */
export async function migrateMachine(options: MigrateMachineOptions, job: Job): Promise<Outcome> {
  if (await isSocket(job.file)) throw new UsageError('not-yet', 'Cannot migrate: not connected yet');
  const machine = await withInput(job.file, (source) => loadState(source, { signal: job.signal }));
  const own: OwnMachine = { name: job.file, machine };
  if (options.dryRun) return foretellOutcome(own, options);
  const report = new LiveReport(options);
  const request = await requestOf(options);
  try {
    return outcomeOf(await carryOut(request, own, (event: MigrationEvent) => tellEvent(report, event), job.signal), options);
  } finally {
    report.stop();
  }
}

export async function requestOf(options: MigrateMachineOptions): Promise<MigrateRequest> {
  const { to, streams, compression, proof, records, resumeWithin } = options;
  if (to === undefined) throw new UsageError('usage', 'Cannot migrate: expected --to HOST:PORT');
  if (!Number.isInteger(streams) || streams < 1 || streams > 16) throw new UsageError('usage', `Cannot use ${streams} streams: expected 1 to 16`);
  const trust = await sourceTrust(options);
  const sent: MigrateRequest['trust'] = trust.kind === 'code' ? { kind: 'code', key: Buffer.from(trust.key).toString('hex') } : trust;
  return { to, trust: sent, records, streams, compression, proof, resumeWithinMs: resumeWithin * 1000, limits: wishedLimits(options) };
}

function wishedLimits({ maxDowntime, stalledDowntime, bandwidth, timeLimit, onTimeLimit }: MigrateMachineOptions): MigrateRequest['limits'] {
  return {
    ...DEFAULT_LIMITS,
    maxDowntimeMs: maxDowntime,
    stalledDowntimeMs: Math.max(maxDowntime, stalledDowntime),
    bandwidth: bandwidth === undefined ? null : parseAddress(bandwidth),
    timeLimitMs: timeLimit === 0 ? null : timeLimit * 1000,
    onTimeLimit,
  };
}

export function outcomeOf(report: MigrationReport, { quiet }: { quiet: boolean }): Outcome {
  const exitCode = { 'handed-over': ExitCode.OK, kept: ExitCode.ENVIRONMENT, undecided: ExitCode.PARTLY }[report.outcome];
  return { exitCode, result: { action: 'migrate', ...report, proof: report.proof ?? null }, text: quiet && exitCode === ExitCode.OK ? '' : reportText(report) };
}

async function foretellOutcome(own: OwnMachine, options: MigrateMachineOptions): Promise<Outcome> {
  const limits = limitsOf(wishedLimits(options));
  const rate = Number.isFinite(limits.bandwidth) ? limits.bandwidth : ASSUMED_RATE;
  const forecast = await foretell(own, limits, rate, options.compression !== 'never');
  return { exitCode: ExitCode.OK, result: { action: 'dry-run', machine: own.name, rate, ...forecast }, text: forecastText(own.name, forecast, rate) };
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isSocket();
  } catch (error) {
    throw EnvironmentError.from(error, `open ${path}`);
  }
}
