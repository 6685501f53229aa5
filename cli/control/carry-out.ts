import { join } from 'node:path';
import { UsageError } from '../../formats/errors.ts';
import { openFileSink } from '../../formats/files/sink.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { DecisionFile, type GuestRecord } from '../../migrations/hand-over/decision-record.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import type { SourceMachine } from '../../migrations/machine/machine.ts';
import { forecast, type MigrationForecast } from '../../migrations/policy/forecast.ts';
import { completeLimits, type MigrationLimits } from '../../migrations/policy/limits.ts';
import type { MigrationEvent, MigrationReport } from '../../migrations/report/report.ts';
import { measureMachine } from '../../migrations/source/measure.ts';
import { migrate, newMigrationId } from '../../migrations/source/migration.ts';
import { connectToTarget } from '../../migrations/trust/connect-to-target.ts';
import { endpointText, parseEndpoint } from '../../migrations/trust/endpoint.ts';
import type { Trust } from '../../migrations/trust/trust.ts';
import { DepartingMachine } from '../../migrations/virtual-machine/departing-machine.ts';
import type { Machine } from '../../src/machine/machine.ts';
import { saveState } from '../../src/machine/save.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import type { ForetellRequest, LimitsInJson, MigrateRequest } from './requests.ts';

/** A machine of any kind that is to be migrated. */
export interface Departing {
  name: string;
  source: SourceMachine;
  /** Key under which the limits of the machine's migration can be changed. */
  key: object;
  /** See `MigrateOptions`. */
  keepAsItWas?: (migration: string) => Promise<string>;
  /** The process that runs the machine, if it is not this process. */
  guest?: GuestRecord;
  /**
   * Starts a watchdog, which reads the record at the path and takes care of the machine if this process is killed.
   * @returns function that ends the watchdog
   */
  watch?: (recordPath: string) => () => void;
}

/** A machine of this process. */
export interface OwnMachine {
  name: string;
  machine: Machine;
  /** Execution of the machine, if it runs. */
  running?: RunningMachine;
}

/**
 * All limits; in JSON null stands for infinity. @param otherwise defaults for missing limits
 * @throws UsageError `bad-limit`
 */
export function limitsOf(json: LimitsInJson, otherwise: Partial<MigrationLimits> = {}): MigrationLimits {
  const given = Object.entries(json)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, value ?? Number.POSITIVE_INFINITY]);
  return completeLimits({ ...otherwise, ...Object.fromEntries(given) });
}

/** Migrates a machine of this process; see `carryAway`. */
export function carryOut(
  request: MigrateRequest,
  own: OwnMachine,
  onEvent: (event: MigrationEvent) => void,
  signal: AbortSignal,
  stopAsking?: AbortSignal,
): Promise<MigrationReport> {
  const departing: Departing = {
    name: own.name,
    source: new DepartingMachine(own.name, own.machine, own.running),
    key: own.machine,
    keepAsItWas: (migration) => keepState(own.machine, join(request.records, `${migration}.sav`)),
  };
  return carryAway(request, departing, onEvent, signal, stopAsking);
}

/**
 * Migrates a machine.
 * @param stopAsking see `MigrateOptions`; without it, a machine whose hand-over is undecided stays paused until the
 * decision is known
 * @throws SavkitError when the target can't be reached, or refuses: the machine runs on here
 */
export async function carryAway(
  request: MigrateRequest,
  { name: machine, source, key, keepAsItWas, guest, watch }: Departing,
  onEvent: (event: MigrationEvent) => void,
  signal: AbortSignal,
  stopAsking?: AbortSignal,
): Promise<MigrationReport> {
  const limits = limitsOf(request.limits);
  const { streams, compression, proof, resumeWithinMs, records } = request;
  const endpoint = parseEndpoint(request.to);
  const trust: Trust =
    request.trust.kind === 'code' ? { kind: 'code', key: Buffer.from(request.trust.key, 'hex') } : request.trust;
  await ensureFolder(records);
  const migration = request.migration ?? newMigrationId();
  const log = new DecisionFile(records, { side: 'source', migration, machine, peer: endpointText(endpoint) });
  if (guest) log.runsIn(guest);
  const connect = (abort?: AbortSignal) => connectToTarget(endpoint, trust, abort);
  underWay.set(key, limits);
  const unwatch = watch?.(log.path);
  try {
    return await migrate(source, {
      ...{ connect, migration, log, limits, streams, compression, proof, resumeWithinMs, signal, onEvent },
      keepAsItWas: keepAsItWas && (() => keepAsItWas(migration)),
      stopAsking,
    });
  } finally {
    underWay.delete(key);
    unwatch?.();
  }
}

/** Writes a paused machine to a file; returns its path. @throws EnvironmentError */
async function keepState(machine: Machine, path: string): Promise<string> {
  const sink = await openFileSink(path, { force: false });
  try {
    await saveState(machine, sink);
    await sink.commit();
    return path;
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

/** Limits of migrations under way. */
const underWay = new WeakMap<object, MigrationLimits>();

/**
 * Changes limits of a machine's migration under way. @returns all limits @throws UsageError if there is no migration,
 * or for a bad limit
 */
export function changeLimits(machine: object, changes: LimitsInJson): MigrationLimits {
  const limits = underWay.get(machine);
  if (!limits) throw new UsageError('no-migration', 'Cannot change limits: the machine is not being migrated');
  return Object.assign(limits, limitsOf(changes, limits));
}

/** Measures a machine of this process while it runs on, and makes a forecast of its migration. */
export function foretell(
  own: OwnMachine,
  request: ForetellRequest,
): Promise<MigrationForecast & { dirtyRate: number }> {
  return foretellOf(new DepartingMachine(own.name, own.machine, own.running), request);
}

/** Measures a machine while it runs on, and makes a forecast of its migration. */
export async function foretellOf(
  source: SourceMachine,
  { limits, rate, compression }: ForetellRequest,
): Promise<MigrationForecast & { dirtyRate: number }> {
  const figures = await measureMachine(source, rate, compression);
  const last = figures.curve[figures.curve.length - 1];
  return { ...forecast(figures, limitsOf(limits)), dirtyRate: (last.pages * PAGE_SIZE * 1000) / last.ms };
}
