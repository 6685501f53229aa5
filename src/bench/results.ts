import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FoundRow } from './find-rows.ts';
import type { Sample } from './run-rows.ts';

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** How many times as fast as another row, in the same round. */
export interface Rating extends Spread {
  row: string;
  against: string;
  atLeast?: number;
}

export interface SizeResult {
  row: string;
  limitMib: number;
  /** By MiB of guest RAM. */
  bySize: { ramMib: number; rss: number; msPerGib: number }[];
}

export interface Results {
  ramMib: number;
  rounds: number;
  rows: { name: string; ms: Spread; rss: number }[];
  ratings: Rating[];
  sizes: SizeResult[];
  scaling?: Spread;
  /** Rows that could not be run here, and why. */
  missing: Record<string, string>;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] };
}

export function rate(rows: readonly FoundRow[], samples: ReadonlyMap<string, readonly Sample[]>): Rating[] {
  const ratings: Rating[] = [];
  for (const { name, against = [] } of rows) {
    const own = samples.get(name) ?? [];
    for (const { row, atLeast } of against) {
      const others = samples.get(row) ?? [];
      if (own.length === 0 || others.length === 0) continue;
      const ratios = own.map(({ ms }, round) => others[round].ms / ms);
      ratings.push({ row: name, against: row, ...spread(ratios), ...(atLeast === undefined ? {} : { atLeast }) });
    }
  }
  return ratings;
}

export function summarizeSizes(rows: readonly FoundRow[], rams: readonly number[], samples: ReadonlyMap<string, readonly Sample[][]>): SizeResult[] {
  return rows.map(({ name, peakRssMib = 0 }) => ({
    row: name,
    limitMib: peakRssMib,
    bySize: (samples.get(name) ?? []).map((runs, i) => ({
      ramMib: rams[i],
      rss: Math.max(...runs.map(({ rss }) => rss)),
      msPerGib: (spread(runs.map(({ ms }) => ms)).median * 1024) / rams[i],
    })),
  }));
}

const FOLDER = 'bench-results';
const LATEST = join(FOLDER, 'latest.json');

/** The results kept last, if any. */
export function keptResults(): Results | undefined {
  return existsSync(LATEST) ? (JSON.parse(readFileSync(LATEST, 'utf8')) as Results) : undefined;
}

/** Keeps the results; those kept before become `previous.json`. */
export function keepResults(results: Results): void {
  mkdirSync(FOLDER, { recursive: true });
  if (existsSync(LATEST)) renameSync(LATEST, join(FOLDER, 'previous.json'));
  writeFileSync(LATEST, `${JSON.stringify(results, null, 2)}\n`);
}
