import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{formats,src,migrations,cli,examples,scripts}/**/*.test.ts'],
    reporters: ['default', './cli/testing/count-reporter.ts'],
    testTimeout: 120_000,
  },
});
