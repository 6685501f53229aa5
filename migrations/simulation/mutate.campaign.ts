import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { GUEST_MUTATIONS } from './guests/guest-mutations.ts';
import { MUTATIONS, type Mutation } from './mutations.ts';
import { SAVE_MUTATIONS } from './saves/save-mutations.ts';
import { TELEPORT_MUTATIONS } from './teleports/teleport-mutations.ts';

// npm run campaign -- mutate [RUNS [WORDS]]: puts faults into a copy of the built code, one after the other, and has
// the simulator look for each with the same seeds, aimed ones first. Each has to be found; the seed that finds it is
// told.

type Programs = readonly [program: string, ...words: string[]][];

/** Faults, and the programs that have to find them. */
const SEARCHES: readonly [readonly Mutation[], Programs][] = [
  [MUTATIONS, [['simulate.campaign.js', '--aimed'], ['simulate.campaign.js']]],
  [SAVE_MUTATIONS, [['saves/simulate-saves.campaign.js']]],
  [TELEPORT_MUTATIONS, [['teleports/simulate-teleports.campaign.js']]],
  [GUEST_MUTATIONS, [['guests/simulate-guests.campaign.js']]],
];

const [runs = '20000', words = ''] = process.argv.slice(2);
const dist = fileURLToPath(new URL('../..', import.meta.url));
const missed: string[] = [];
let found = 0;

for (const [mutations, programs] of SEARCHES)
  for (const mutation of mutations) if (mutation.name.includes(words)) search(mutation, programs);

function search({ name, firstSeed = 1, file, from, to }: Mutation, programs: Programs): void {
  const copy = mkdtempSync(join(dist, '..', 'dist-mutant-'));
  try {
    cpSync(dist, copy, { recursive: true });
    const path = join(copy, 'migrations', file);
    const code = readFileSync(path, 'utf8');
    if (code.split(from).length !== 2) {
      missed.push(`${name}: its place in ${file} is not there, or there twice`);
      return;
    }
    writeFileSync(
      path,
      code.replace(from, () => to),
    );
    const { seed, fault } = firstFound(copy, programs, firstSeed);
    if (seed === undefined) missed.push(name);
    else found++;
    console.log(
      `${seed === undefined ? 'not found' : `seed ${seed.padStart(14)}`}  ${name}: ${fault?.slice(0, 120) ?? ''}`,
    );
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The first seed that shows a fault in the copy of the code, but not in the code as it stands. */
function firstFound(copy: string, programs: Programs, firstSeed: number): { seed?: string; fault?: string } {
  const end = firstSeed + Number(runs);
  for (const words of programs)
    for (let first = firstSeed; first < end; ) {
      const some = ['--seed', String(first), '--runs', String(end - first), '--first'];
      const found = simulate(copy, ...words, ...some);
      if (found.seed === undefined) break;
      if (simulate(dist, ...words, '--only', found.seed).fault === 'all is well')
        return { ...found, seed: [found.seed, ...words.slice(1)].join(' ') };
      first = Number(found.seed) + 1;
    }
  return {};
}

function simulate(folder: string, program: string, ...words: string[]): { seed?: string; fault?: string } {
  const path = join(folder, 'migrations/simulation', program);
  const { stdout, stderr } = spawnSync(process.execPath, [path, ...words], { encoding: 'utf8' });
  if (/SyntaxError/.test(stderr)) throw new Error(`The changed code is none: ${stderr}`);
  const [, seed, fault] = /^seed (\d+): (.*)$/m.exec(stdout) ?? [];
  return { seed, fault };
}

console.log(`${found} found, ${missed.length} not${missed.map((name) => `\n  ${name}`).join('')}`);
process.exitCode = missed.length > 0 ? 1 : 0;
