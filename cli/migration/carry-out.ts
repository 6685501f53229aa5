import { endpointText, parseEndpoint } from '../../migrations/endpoint.ts';
import { DecisionFile } from '../../migrations/hand-over/decision-record.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import { type Forecast, forecast } from '../../migrations/policy/forecast.ts';
import type { MigrationLimits } from '../../migrations/policy/limits.ts';
import type { MigrationEvent, MigrationReport } from '../../migrations/report.ts';
import { measureMachine } from '../../migrations/source/measure.ts';
import { migrate, newMigrationId } from '../../migrations/source/migration.ts';
import type { MigrateOptions } from '../../migrations/source/options.ts';
import { connectToTarget } from '../../migrations/trust/connect-to-target.ts';
import type { Trust } from '../../migrations/trust/trust.ts';
import { DepartingMachine } from '../../migrations/virtual-machine/departing-machine.ts';
import type { RunningMachine } from '../../src/running/running-machine.ts';
import type { Machine } from '../../src/saved-state/machine.ts';

/** What `savkit migrate` asks for; goes as JSON to the process that runs the machine, so keys are text there. */
export interface MigrateRequest {
  to: string;
  trust: Exclude<Trust, { kind: 'code' }> | { kind: 'code'; key: string };
  records: string;
  limits: { [K in keyof MigrationLimits]: MigrationLimits[K] | null };
  streams: number;
  compression: NonNullable<MigrateOptions['compression']>;
  proof: NonNullable<MigrateOptions['proof']>;
  resumeWithinMs: number;
}

/** A machine of this process. */
export interface OwnMachine {
  name: string;
  machine: Machine;
  /** What runs it, if anything does. */
  running?: RunningMachine;
}

/** JSON knows no infinity: null stands for it. */
export function limitsOf(limits: MigrateRequest['limits']): MigrationLimits {
  return Object.fromEntries(Object.entries(limits).map(([key, value]) => [key, value ?? Number.POSITIVE_INFINITY])) as unknown as MigrationLimits;
}

/**
 * Migrates a machine of this process.
 * @param limits may be changed while it runs
 * @throws SavkitError when the target can't be reached, or refuses: the machine runs on here
 */
export async function carryOut(
  request: MigrateRequest,
  own: OwnMachine,
  onEvent: (event: MigrationEvent) => void,
  signal: AbortSignal,
  limits: MigrationLimits = limitsOf(request.limits),
): Promise<MigrationReport> {
  const { streams, compression, proof, resumeWithinMs, records } = request;
  const endpoint = parseEndpoint(request.to);
  const trust: Trust = request.trust.kind === 'code' ? { kind: 'code', key: Buffer.from(request.trust.key, 'hex') } : request.trust;
  await ensureFolder(records);
  const migration = newMigrationId();
  const log = new DecisionFile(records, { side: 'source', migration, machine: own.name, peer: endpointText(endpoint) });
  const connect = () => connectToTarget(endpoint, trust, signal);
  return migrate(new DepartingMachine(own.name, own.machine, own.running), {
    ...{ connect, migration, log, limits, streams, compression, proof, resumeWithinMs, signal, onEvent },
  });
}

/** Measures a machine that runs on, and foretells its migration over a link of so many bytes per second. */
export async function foretell(own: OwnMachine, limits: MigrationLimits, rate: number, compress: boolean): Promise<Forecast & { dirtyRate: number }> {
  const figures = await measureMachine(new DepartingMachine(own.name, own.machine, own.running), rate, compress);
  const last = figures.curve[figures.curve.length - 1];
  return { ...forecast(figures, limits), dirtyRate: (last.pages * 4096 * 1000) / last.ms };
}
