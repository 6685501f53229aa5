import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// node scripts/test.js [NAME=VALUE…] [FILE…]: builds, and runs the tests with these variables in the environment; all
// of them, or those in some files. The variables are arguments, since the shell of Windows takes none before a command.

const ABOUT = `All tests take up to three minutes on two idle processors.
\`npm test -- FILE…\` runs those in some files.
They need bash, the npm registry (one installs savkit elsewhere) and 200 MiB in ${tmpdir()}.
They need no VirtualBox, no QEMU, no root.`;

const root = fileURLToPath(new URL('../', import.meta.url));
const given = process.argv.slice(2);
const variables = given.filter((each) => /^[A-Z_]+=/.test(each));
const files = given.filter((each) => !variables.includes(each));
if (files.length === 0) console.log(ABOUT);
run('scripts/build.js');
run('node_modules/vitest/vitest.mjs', 'run', ...files);

/** @param {string} program @param {string[]} args */
function run(program, ...args) {
  const env = { ...process.env, ...Object.fromEntries(variables.map((each) => each.split(/=(.*)/s, 2))) };
  const { status } = spawnSync(process.execPath, [join(root, program), ...args], { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
