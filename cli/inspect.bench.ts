import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeManyPasses, makeManyUnits } from '../src/bench/long-states.ts';
import type { BenchContext, BenchRow } from '../src/bench/row.ts';

// Time for a description of a state that has very many parts.

const SAVKIT = fileURLToPath(new URL('../bin/savkit.js', import.meta.url));
/** Longest time, in ms, that a description may take. */
const PATIENCE = 1500;

function inspecting(what: string, count: number, make: (path: string, count: number) => Promise<void>): BenchRow {
  const pathIn = ({ folder }: BenchContext) => join(folder, `${what}-${count}.sav`);
  return {
    name: `inspect ${count} ${what}`,
    async prepare(context) {
      if (!existsSync(pathIn(context))) await make(pathIn(context), count);
    },
    run(context) {
      const start = performance.now();
      execFileSync(process.execPath, [SAVKIT, 'inspect', pathIn(context)], { maxBuffer: 2 ** 30 });
      const ms = performance.now() - start;
      return { ms, figures: [{ name: 'with its start', value: ms, unit: 'ms', atMost: PATIENCE }] };
    },
  };
}

export const rows: BenchRow[] = [
  inspecting('units', 10_000, makeManyUnits),
  inspecting('passes', 2000, makeManyPasses),
];
