import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MIB } from '../../formats/units.ts';
import type { FoundRow } from './find-rows.ts';
import { makeState } from './make-state.ts';
import type { BenchContext } from './row.ts';

export interface Sample {
  ms: number;
  /** Peak memory of the process, bytes. */
  rss: number;
}

const run = promisify(execFile);
const JOB = fileURLToPath(new URL('job.js', import.meta.url));
const RUNS_PER_SIZE = 3;

/** What a row gets for one size of guest RAM; makes the state where it is not there yet. */
export async function contextOf(folder: string, ramMib: number): Promise<BenchContext> {
  const state = join(folder, `mixed-${ramMib}.sav`);
  if (!existsSync(state)) {
    process.stderr.write(`making ${state}\n`);
    await makeState(state, ramMib * MIB);
  }
  return { folder, ramMib, state };
}

async function runRow(row: FoundRow, context: BenchContext): Promise<Sample> {
  const { stdout } = await run(process.execPath, [JOB, row.module, row.name, JSON.stringify(context)]);
  return JSON.parse(stdout) as Sample;
}

/** All rows once in every round, one after the other. One that fails is left out, and `failed` gets its reason. */
export async function runRounds(
  rows: readonly FoundRow[],
  context: BenchContext,
  rounds: number,
  failed: Record<string, string>,
): Promise<Map<string, Sample[]>> {
  const samples = new Map<string, Sample[]>(rows.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
    for (const row of rows) {
      if (row.name in failed) continue;
      try {
        samples.get(row.name)?.push(await runRow(row, context));
      } catch (error) {
        failed[row.name] = `it failed: ${(error as { stderr?: string }).stderr?.match(/Error: .*/)?.[0] ?? error}`;
        samples.delete(row.name);
      }
    }
  }
  return samples;
}

/** How many times the work of one process two independent ones do together: 2 where the second CPU is really there. */
export async function measureScaling(row: FoundRow, context: BenchContext, rounds: number): Promise<number[]> {
  const scaling: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const alone = await runRow(row, context);
    const both = await Promise.all([runRow(row, context), runRow(row, context)]);
    scaling.push((2 * alone.ms) / Math.max(...both.map(({ ms }) => ms)));
  }
  return scaling;
}

/** The rows that keep to a limit of memory, at several sizes of guest RAM. */
export async function runSizes(rows: readonly FoundRow[], contexts: readonly BenchContext[]): Promise<Map<string, Sample[][]>> {
  const samples = new Map<string, Sample[][]>();
  for (const row of rows) samples.set(row.name, []);
  for (const context of contexts) {
    const runs = new Map<string, Sample[]>(rows.map(({ name }) => [name, []]));
    for (let i = 0; i < RUNS_PER_SIZE; i++) for (const row of rows) runs.get(row.name)?.push(await runRow(row, context));
    for (const [name, list] of runs) samples.get(name)?.push(list);
  }
  return samples;
}
