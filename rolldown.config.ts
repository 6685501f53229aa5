import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

// Puts the built command line together into few files, dist/bin: reading a hundred small ones takes longer than most
// commands. They are CommonJS, which Node loads in less time. Stack traces stay readable; the library in dist stays as
// it is.

export default defineConfig({
  input: {
    savkit: 'dist/cli/main.js',
    worker: 'dist/src/saved-state/threads/worker.js',
    'hash-worker': 'dist/src/saved-state/manifest/hash-worker.js',
    'scan-worker': 'dist/migrations/guests/memory/scan-worker.js',
  },
  platform: 'node',
  resolve: { alias: { 'string-width': fileURLToPath(new URL('dist/cli/text/text-width.js', import.meta.url)) } },
  // yargs asks where to find modules that options name; ours name none.
  transform: { define: { 'import.meta.resolve': 'undefined' } },
  // What only some commands need.
  external: ['msgpackr', 'fast-xml-parser', 'cli-table3', 'cli-progress'],
  output: {
    dir: 'dist/bin',
    format: 'cjs',
    chunkFileNames: '[name].js',
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  },
});
