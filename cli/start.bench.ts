import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchRow } from '../src/bench/row.ts';

// Start time of the command line, against that of a bare Node.

const SAVKIT = fileURLToPath(new URL('../bin/savkit.js', import.meta.url));
const STATE = fileURLToPath(new URL('../../test-vectors/states/own-pae.sav', import.meta.url));
const BARE = 'node -e 0';

/** Milliseconds of one start; the fastest of some, since each is short. */
function startMs(...words: string[]): number {
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const start = performance.now();
    execFileSync(process.execPath, words);
    times.push(performance.now() - start);
  }
  return Math.min(...times);
}

export const rows: BenchRow[] = [
  { name: BARE, run: () => startMs('-e', '0') },
  { name: 'savkit --version', against: [{ row: BARE, atLeast: 0.5 }], run: () => startMs(SAVKIT, '--version') },
  {
    name: 'savkit verify, 230 KB',
    against: [{ row: BARE, atLeast: 0.7 }],
    run: () => startMs(SAVKIT, 'verify', '-q', STATE),
  },
];
