import { fileURLToPath } from 'node:url';
import { defineConfig } from 'rolldown';

// Bundles the command line into few files, dist/bin: reading a hundred small ones takes longer than most commands. They
// are CommonJS, which Node loads faster. Nothing is minified, so stack traces stay readable; the library in dist is not
// bundled.

export default defineConfig({
  input: {
    savkit: 'dist/cli/main.js',
    worker: 'dist/src/saved-state/threads/worker.js',
    'hash-worker': 'dist/src/saved-state/manifest/hash-worker.js',
    'scan-worker': 'dist/migrations/guests/memory/scan-worker.js',
  },
  platform: 'node',
  resolve: { alias: { 'string-width': fileURLToPath(new URL('dist/cli/text/text-width.js', import.meta.url)) } },
  // yargs uses `import.meta.resolve` for modules that options name; savkit's options name none.
  transform: { define: { 'import.meta.resolve': 'undefined' } },
  // Packages that only some commands need.
  external: ['msgpackr', 'fast-xml-parser', 'cli-table3', 'cli-progress'],
  output: {
    dir: 'dist/bin',
    format: 'cjs',
    entryFileNames: '[name].entry.js',
    chunkFileNames: '[name].js',
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  },
});
