import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// npm run campaign -- model [NAME=NUMBER…]: has Spin check the model of the hand-over within some bounds, those of
// README.md by default; LINKS=1 FAULTS=1 takes seconds. Ends with 1 for a violation, and with 2 where Spin, gcc or
// memory is missing.

const DEFAULTS = { LINKS: 2, FAULTS: 1, DISK_FAULTS: 0, COPIES: 1, ASKS: 1 };
/** Memory for the states, in MiB; the search is not complete where that is not enough. */
const MEMORY = 8000;

const bounds: Record<string, number> = { ...DEFAULTS };
for (const given of process.argv.slice(2)) {
  const [name, number] = given.split('=');
  if (!(name in DEFAULTS) || !/^\d+$/.test(number ?? '')) end(2, `Cannot use ${given}: expected ${named(DEFAULTS)}`);
  bounds[name] = Number(number);
}
for (const tool of ['spin', 'gcc'])
  if (spawnSync(tool, [tool === 'spin' ? '-V' : '--version']).error)
    end(2, `not run: ${tool} is not installed (Debian: apt-get install spin gcc)`);

const folder = mkdtempSync(join(tmpdir(), 'savkit-model-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
// The model is in the source tree only, and this file is run from dist.
const from = fileURLToPath(new URL('../../../migrations/model/', import.meta.url));
cpSync(from, folder, { recursive: true, filter: (path) => !path.endsWith('.ts') });

run('spin', ...Object.entries(bounds).map(([name, number]) => `-D${name}=${number}`), '-a', 'hand-over.pml');
run('gcc', '-O2', '-w', '-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${MEMORY}`, '-o', 'pan', 'pan.c');
console.log(`Checking the hand-over with ${named(bounds)}`);
const output = run('./pan', '-m200000', '-w26');
const [, errors] = /errors: (\d+)/.exec(output) ?? [];
for (const line of output.split('\n'))
  if (/^pan:|stored$|transitions|elapsed|depth reached/.test(line)) console.log(line);
if (errors === undefined || /max search depth too small|reached -DMEMLIM/.test(output)) end(2, 'not complete');
if (errors !== '0') {
  console.log(
    run('spin', ...Object.entries(bounds).map(([name, number]) => `-D${name}=${number}`), '-t', '-p', 'hand-over.pml'),
  );
  end(1, 'The model is violated; its course stands above');
}
end(0, 'No violation within these bounds');

function named(numbers: Record<string, number>): string {
  return Object.entries(numbers)
    .map(([name, number]) => `${name}=${number}`)
    .join(' ');
}

function run(program: string, ...args: string[]): string {
  const { stdout, error } = spawnSync(program, args, { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (error) end(2, `not run: ${error.message}`);
  return stdout;
}

function end(code: number, text: string): never {
  console.log(text);
  process.exit(code);
}
