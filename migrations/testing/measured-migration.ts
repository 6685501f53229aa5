import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openFile } from '../../formats/files/source.ts';
import { loadState } from '../../src/machine/load.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { DecisionMemory } from '../hand-over/decision-record.ts';
import { DEFAULT_LIMITS } from '../policy/limits.ts';
import type { MigrationReport } from '../report/report.ts';
import { migrate, newMigrationId } from '../source/migration.ts';
import { connectToTarget } from '../trust/connect-to-target.ts';
import { keyOfCode, newPairingCode } from '../trust/pairing-code.ts';
import type { Trust } from '../trust/trust.ts';
import { DepartingMachine } from '../virtual-machine/departing-machine.ts';

/** Figures of a migration between two processes on loopback. */
export interface Measured {
  report: MigrationReport;
  /** MB/s of pages that the workload wrote to while it ran. */
  dirtied: number;
  sourceCpuMs: number;
  targetCpuMs: number;
  /** Faults that the workload's self-check found at the target. */
  faults: number;
  lostSteps: number;
}

/** Pages written per second that make so many MB/s dirty. */
const stepsFor = (dirtyMbPerSecond: number) => Math.round((dirtyMbPerSecond * 1e6) / 4096);

/** Migrates the machine of a state to a process of its own, while a workload dirties its memory. */
export async function measureMigration(state: string, options: { dirty: number; tls: boolean }): Promise<Measured> {
  const source = await openFile(state);
  const machine = await loadState(source);
  await source.close();
  const running = RunningMachine.of(
    machine,
    options.dirty === 0 ? { kind: 'idle' } : { kind: 'random', rate: stepsFor(options.dirty), patternSize: 256 },
  );
  running.resume();
  const code = newPairingCode();
  const target = spawn(
    process.execPath,
    [fileURLToPath(new URL('./target-main.js', import.meta.url)), ...(options.tls ? [code] : [])],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const lines = linesOf(target);
  const { port } = (await lines.next()) as { port: number };
  const trust: Trust = options.tls ? { kind: 'code', key: keyOfCode(code) } : { kind: 'insecure' };
  const before = process.cpuUsage();
  const { steps } = running.figures;
  const report = await migrate(new DepartingMachine('bench', machine, running), {
    connect: () => connectToTarget({ host: '127.0.0.1', port }, trust),
    migration: newMigrationId(),
    log: new DecisionMemory(),
    limits: { ...DEFAULT_LIMITS, timeLimitMs: 20_000, onTimeLimit: 'force' },
  });
  const { user, system } = process.cpuUsage(before);
  const after = (await lines.next()) as { cpuMs: number; faults: number; steps: number };
  const lostSteps = Math.max(0, running.guest.block.steps - after.steps);
  const dirtied = ((running.figures.steps - steps) * 4096) / 1000 / (report.totalMs - report.downtimeMs);
  return {
    report,
    dirtied,
    sourceCpuMs: (user + system) / 1000,
    targetCpuMs: after.cpuMs,
    faults: after.faults,
    lostSteps,
  };
}

function linesOf(child: ChildProcess): { next(): Promise<unknown> } {
  const lines = createInterface({ input: child.stdout as NonNullable<typeof child.stdout> })[Symbol.asyncIterator]();
  return {
    async next() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the target ended with ${child.exitCode ?? (await once(child, 'exit'))[0]}`);
      return JSON.parse(value as string);
    },
  };
}
