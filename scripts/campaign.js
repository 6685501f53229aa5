import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// npm run campaign -- [NAME [ARGUMENT…]]: builds, and runs the long check in NAME.campaign.ts, wherever that file
// is. A NAME with which several names begin, such as `virtualbox`, runs them all; without a NAME, lists them.

const root = fileURLToPath(new URL('../', import.meta.url));
const SUFFIX = '.campaign.ts';
/** Exit code of a campaign whose surroundings are not set up. */
const NOT_SET_UP = 2;

const campaigns = new Map(
  ['formats', 'src', 'migrations', 'cli']
    .flatMap((floor) =>
      readdirSync(join(root, floor), { recursive: true, encoding: 'utf8' }).map((name) => join(floor, name)),
    )
    .filter((path) => path.endsWith(SUFFIX))
    .map((path) => /** @type {const} */ ([basename(path, SUFFIX), path]))
    .sort(),
);
const [name = '', ...args] = process.argv.slice(2);
const chosen = campaigns.has(name) ? [name] : [...campaigns.keys()].filter((each) => each.startsWith(`${name}-`));
if (chosen.length === 0) {
  if (name !== '') console.error(`There is no campaign ${name}`);
  const names = [...campaigns.keys()].join('\n  ');
  console.error(`npm run campaign -- NAME [ARGUMENT…], where NAME is one of:\n  ${names}`);
  process.exit(2);
}
run('scripts/build.js');
for (const each of chosen) {
  if (chosen.length > 1) console.log(`— ${each}`);
  const path = campaigns.get(each) ?? '';
  const status = run(join('dist', path.replace(/\.ts$/, '.js')), ...args);
  process.exitCode = Math.max(Number(process.exitCode ?? 0), status);
  if (status === NOT_SET_UP) break;
}

/** The exit code of a program of ours. @param {string} program @param {string[]} args */
function run(program, ...args) {
  const { status } = spawnSync(process.execPath, [join(root, program), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0 && program === 'scripts/build.js') process.exit(status ?? 1);
  return status ?? 1;
}
