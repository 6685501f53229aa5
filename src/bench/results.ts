import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MIB } from '../../formats/sizes.ts';
import type { FoundRow } from './find-rows.ts';
import { MAX_COST, SCALES } from './row.ts';
import type { BenchSample } from './run-rows.ts';

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Speed as a multiple of another row's, in the same round. */
export interface Rating extends Spread {
  row: string;
  against: string;
  atLeast?: number;
  /** Work of two independent processes together, as a multiple of one's; for rows that use several threads. */
  scaling?: number;
}

/** A figure beside the time, over all rounds. */
export interface FigureResult extends Spread {
  row: string;
  name: string;
  unit: string;
  atMost?: number;
}

export interface SizeResult {
  row: string;
  limitMib: number;
  /** By MiB of guest RAM; `cost` is milliseconds per GiB, as a multiple of those at the run's own size. */
  bySize: { ramMib: number; rss: number; cost: number }[];
}

export interface Results {
  ramMib: number;
  rounds: number;
  rows: { name: string; ms: Spread; rss: number }[];
  ratings: Rating[];
  figures: FigureResult[];
  sizes: SizeResult[];
  scaling?: Spread;
  /** Rows that could not be run here, and why. */
  missing: Record<string, string>;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1], min: sorted[0], max: sorted[sorted.length - 1] };
}

/** @param scaling work of two processes together, as a multiple of one's, if measured */
export function rate(
  rows: readonly FoundRow[],
  samples: ReadonlyMap<string, readonly BenchSample[]>,
  scaling: number,
): Rating[] {
  const ratings: Rating[] = [];
  for (const { name, against = [] } of rows) {
    const own = samples.get(name) ?? [];
    for (const { row, atLeast: always, atLeastIfScaling } of against) {
      const atLeast = scaling >= SCALES ? (atLeastIfScaling ?? always) : always;
      const others = samples.get(row) ?? [];
      if (own.length === 0 || others.length === 0) continue;
      const ratios = own.map(({ ms }, round) => others[round].ms / ms);
      ratings.push({
        row: name,
        against: row,
        ...spread(ratios),
        ...(atLeast === undefined ? {} : { atLeast }),
        ...(atLeastIfScaling === undefined ? {} : { scaling }),
      });
    }
  }
  return ratings;
}

export function summarizeFigures(samples: ReadonlyMap<string, readonly BenchSample[]>): FigureResult[] {
  const results: FigureResult[] = [];
  for (const [row, runs] of samples) {
    for (const [i, { value, ...figure }] of (runs[0]?.figures ?? []).entries())
      results.push({ row, ...figure, ...spread(runs.map(({ figures }) => figures[i].value)) });
  }
  return results;
}

/** @param ramMib the run's own size */
export function summarizeSizes(
  samples: ReadonlyMap<string, readonly BenchSample[][]>,
  rows: readonly FoundRow[],
  rams: readonly number[],
  ramMib: number,
): SizeResult[] {
  return Array.from(samples, ([name, bySize]) => {
    const { peakRssMib = 0 } = rows.find((row) => row.name === name) ?? {};
    const perMib = (i: number) => spread(bySize[i].map(({ ms }) => ms)).median / rams[i];
    const unit = perMib(Math.max(0, rams.indexOf(ramMib)));
    return {
      row: name,
      limitMib: peakRssMib,
      bySize: bySize.map((runs, i) => ({
        ramMib: rams[i],
        rss: Math.max(...runs.map(({ rss }) => rss)),
        cost: perMib(i) / unit,
      })),
    };
  });
}

/** Whether memory stays below its limit, and cost per GiB does not grow with size. */
export function isFlat({ limitMib, bySize }: SizeResult, ramMib: number): boolean {
  return bySize.every((size) => size.rss <= limitMib * MIB && (size.ramMib <= ramMib || size.cost <= MAX_COST));
}

const FOLDER = 'bench-results';
export const LATEST = join(FOLDER, 'latest.json');

/** The results kept last, if they are of a guest of the same size. */
export function keptResults(ramMib: number): Results | undefined {
  if (!existsSync(LATEST)) return undefined;
  const kept = JSON.parse(readFileSync(LATEST, 'utf8')) as Results;
  return kept.ramMib === ramMib ? kept : undefined;
}

/** Keeps the results; those kept before become `previous.json`. */
export function keepResults(results: Results): void {
  mkdirSync(FOLDER, { recursive: true });
  if (existsSync(LATEST)) renameSync(LATEST, join(FOLDER, 'previous.json'));
  writeFileSync(LATEST, `${JSON.stringify(results, null, 2)}\n`);
}
