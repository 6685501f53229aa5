import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{formats,src,migrations,cli,examples,scripts}/**/*.test.ts'],
    reporters: ['default', './cli/testing/count-reporter.ts'],
    // Without this, one processor is left to vitest itself, which has little to do.
    maxWorkers: '100%',
    testTimeout: 120_000,
  },
});
