import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeCodeCache } from './code-cache.js';
import { writeManual } from './manual.js';
import { Stamp } from './stamp.js';

// Builds dist, unless it is up to date. Runs no shell, so that it works on any system.

const root = fileURLToPath(new URL('../', import.meta.url));
const KERNELS = 'formats/kernels/kernels.wasm';
const WATCH = 'migrations/guests/memory/write-watch.c';

if (!existsSync(join(root, 'node_modules/typescript'))) {
  console.error('The packages that build savkit are not here: run `npm ci` first.');
  process.exit(4);
}
const configuration = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'rolldown.config.ts',
];
const stamp = new Stamp(root, {
  stamp: 'dist/.stamp',
  inputs: ['formats', 'src', 'migrations', 'cli', 'scripts', 'docs/commands', ...configuration],
  isInput: (path) => !/\.(test\.ts|wasm)$|^(?!docs).*\.md$/.test(path),
  outputs: ['dist', KERNELS],
});
if (!stamp.isCurrent()) {
  console.error('Building savkit, which takes about 15 seconds …');
  stamp.remove();
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  build();
  stamp.write();
}

function build() {
  const memory = ['--initialMemory', '200', '--maximumMemory', '200'];
  const options = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', ...memory];
  run('assemblyscript/bin/asc.js', 'formats/kernels/assembly/index.ts', '--outFile', KERNELS, ...options);
  run('typescript/bin/tsc', '-p', 'tsconfig.build.json');
  run('rolldown/bin/cli.mjs', '-c', 'rolldown.config.ts');
  for (const folder of ['dist/formats/kernels', 'dist/bin'])
    copyFileSync(join(root, KERNELS), join(root, folder, 'kernels.wasm'));
  // savkit compiles this file when it first needs it.
  for (const folder of ['dist/migrations/guests/memory', 'dist/bin'])
    copyFileSync(join(root, WATCH), join(root, folder, 'write-watch.c'));
  writeManual(root, join(root, 'dist/man'));
  writeFileSync(join(root, 'dist/bin/package.json'), '{ "type": "commonjs" }\n');
  for (const name of readdirSync(join(root, 'dist/bin')).filter((each) => each.endsWith('.entry.js')))
    copyFileSync(join(root, 'scripts/bundle/launcher.cjs'), join(root, 'dist/bin', name.replace('.entry', '')));
  copyFileSync(join(root, 'scripts/bundle/cached-loader.cjs'), join(root, 'dist/bin/cached-loader.cjs'));
  writeCodeCache(root);
}

/**
 * Runs a program of a package; ends with its exit code where it fails.
 * @param {string} program
 * @param {string[]} args
 */
function run(program, ...args) {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'node_modules', program), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status === 0) return;
  process.stderr.write(stdout);
  process.exit(status ?? 1);
}
