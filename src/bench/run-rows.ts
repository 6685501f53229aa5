import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MIB } from '../../formats/sizes.ts';
import type { FoundRow } from './find-rows.ts';
import { makeState } from './make-state.ts';
import type { BenchContext, Figure } from './row.ts';

export interface BenchSample {
  ms: number;
  /** Peak memory of the process, bytes. */
  rss: number;
  figures: readonly Figure[];
}

const run = promisify(execFile);
const JOB = fileURLToPath(new URL('job.js', import.meta.url));
const RUNS_PER_SIZE = 3;

/** Surroundings of a row for one size of guest RAM; makes the state where it is missing. */
export async function contextOf(folder: string, ramMib: number): Promise<BenchContext> {
  const state = join(folder, `mixed-${ramMib}.sav`);
  if (!existsSync(state)) {
    process.stderr.write(`making ${state}\n`);
    await makeState(state, ramMib * MIB);
  }
  return { folder, ramMib, state };
}

async function runRow(row: FoundRow, context: BenchContext): Promise<BenchSample> {
  const { stdout } = await run(process.execPath, [JOB, row.module, row.name, JSON.stringify(context)]);
  return JSON.parse(stdout) as BenchSample;
}

/** The row that also runs twice at the same time, to see whether there is a second processor. */
const SCALING_ROW = 'deep verify, 4 GiB';

export interface Rounds {
  /** By row. */
  samples: Map<string, BenchSample[]>;
  /**
   * By round: work of two independent processes together, as a multiple of one's; 2 if the host gives them two whole
   * processors.
   */
  scaling: number[];
}

/**
 * Runs all rows once in every round, one after the other. A row that fails is left out, and `failed` gets its reason.
 * @param contextFor gives the context for MiB of guest RAM; default: the size of the run
 */
export async function runRounds(
  rows: readonly FoundRow[],
  contextFor: (ramMib?: number) => Promise<BenchContext>,
  rounds: number,
  failed: Record<string, string>,
): Promise<Rounds> {
  const samples = new Map<string, BenchSample[]>(rows.map(({ name }) => [name, []]));
  const scaling: number[] = [];
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
    for (const row of rows) {
      if (row.name in failed) continue;
      try {
        const context = await contextFor(row.ramMib);
        const sample = await runRow(row, context);
        samples.get(row.name)?.push(sample);
        if (row.name === SCALING_ROW) scaling.push((2 * sample.ms) / (await timeOfTwo(row, context)));
      } catch (error) {
        failed[row.name] = reasonOf(error);
        samples.delete(row.name);
      }
    }
  }
  return { samples, scaling };
}

/** @param error of a row's process */
function reasonOf(error: unknown): string {
  return `it failed: ${(error as { stderr?: string }).stderr?.match(/Error: .*/)?.[0] ?? error}`;
}

/** Milliseconds until both of two processes have run a row. */
async function timeOfTwo(row: FoundRow, context: BenchContext): Promise<number> {
  const both = await Promise.all([runRow(row, context), runRow(row, context)]);
  return Math.max(...both.map(({ ms }) => ms));
}

/**
 * Runs the rows that keep to a limit of memory, for each size of guest RAM; sizes take turns. A row that fails is left
 * out, and `failed` gets its reason.
 */
export async function runSizes(
  rows: readonly FoundRow[],
  contexts: readonly BenchContext[],
  failed: Record<string, string>,
): Promise<Map<string, BenchSample[][]>> {
  const samples = new Map<string, BenchSample[][]>();
  for (const row of rows) {
    const bySize = contexts.map((): BenchSample[] => []);
    try {
      for (let i = 0; i < RUNS_PER_SIZE; i++)
        for (const [size, context] of contexts.entries()) bySize[size].push(await runRow(row, context));
      samples.set(row.name, bySize);
    } catch (error) {
      failed[`${row.name}, by size`] = reasonOf(error);
    }
  }
  return samples;
}
