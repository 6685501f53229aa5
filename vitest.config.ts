import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Tests that measure their process or the state of its modules, or replace `world`. */
const ALONE = [
  'formats/kernels/*.test.ts',
  'formats/world/*.test.ts',
  'src/pgm/bookkeeping.test.ts',
  'migrations/hostile-*.test.ts',
  'migrations/simulation/**/*.test.ts',
  'migrations/source/outage.test.ts',
  'cli/control/hostile-sockets.test.ts',
];
/** The processors are busy as it is: further threads that collect garbage take a tenth of the time, and save none. */
const LITTLE_GARBAGE = ['--single-threaded-gc', '--min-semi-space-size=16'];
const ALL = ['{formats,src,migrations,cli,examples,scripts}/**/*.test.ts'];

export default defineConfig({
  test: {
    reporters: ['default', './cli/testing/count-reporter.ts'],
    // A third of the time of a worker is waiting: for processes that it started, for disks, for peers.
    maxWorkers: availableParallelism() + 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A host may be so busy that an answer which usually comes at once takes seconds.
    expect: { poll: { timeout: 60_000 } },
    unstubEnvs: true,
    setupFiles: ['./formats/testing/each-file.ts'],
    projects: [
      // The tests of this project share loaded modules, since the modules keep nothing from one test to the next.
      {
        extends: true,
        test: { name: 'shared', include: ALL, exclude: ALONE, isolate: false, execArgv: LITTLE_GARBAGE },
      },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
});
