import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BareUser } from './bare-user.ts';
import { codeBlocks } from './markdown.ts';

// `npm run campaign -- install [NODE…]`: installs savkit as users with next to nothing would (bare-user.ts), from the
// repository and from the packed file, and uses it; with this Node, or with those that are named. Needs the npm
// registry, git and tar; two minutes for each Node.

const root = fileURLToPath(new URL('../../../', import.meta.url));
const nodes = process.argv.length > 2 ? process.argv.slice(2) : [process.execPath];
for (const node of nodes) tryWith(node);

function tryWith(node: string): void {
  const user = new BareUser(node);
  try {
    console.log(`Node ${user.run('node --version').trim()}, npm ${user.run('npm --version').trim()}`);
    const cwd = join(user.folder, 'sources');
    user.run('mkdir sources; tar -xC sources', { input: sources() });
    for (const line of ['npm ci', 'npm run demo', 'npm pack']) step(line, () => user.run(line, { cwd }));
    const packed = './sources/savkit-0.1.0.tgz';
    const verify = 'verify sources/test-vectors/states/own-pae.sav';
    step('npm install', () => useInstalled(user));
    step('npm install --global', () =>
      user.run(`npm install --global --prefix global ${packed} && ./global/bin/savkit ${verify}`),
    );
    step('npx', () => user.run(`npx --yes --package ${packed} savkit ${verify}`));
  } finally {
    user.remove();
  }
}

/** The working tree as git sees it, new files included. */
function sources(): Buffer {
  const run = (command: string, args: string[], input = Buffer.alloc(0)) =>
    execFileSync(command, args, { cwd: root, input, maxBuffer: 1 << 30 });
  return run(
    'tar',
    ['-c', '--null', '-T', '-'],
    run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']),
  );
}

/** Runs, in a project of its own, some commands and what the README shows of the library, migrations included. */
function useInstalled(user: BareUser): void {
  const cwd = join(user.folder, 'elsewhere');
  user.run('mkdir elsewhere; echo \'{ "private": true, "type": "module" }\' >elsewhere/package.json');
  user.run('npm install ../sources/savkit-0.1.0.tgz', { cwd });
  for (const [file, name] of [
    ['machine.sav', 'own-pae.sav'],
    ['one.sav', 'own-pae.sav'],
    ['two.sav', 'own-long.sav'],
  ])
    user.run(`cat >${file}`, { cwd, input: readFileSync(join(root, 'test-vectors/states', name)) });
  for (const line of [
    '--version',
    'inspect machine.sav',
    'verify one.sav two.sav',
    'extract one.sav -o memory.raw',
    'convert two.sav old.sav --pgm 13',
  ])
    user.run(`npx savkit ${line}`, { cwd });
  for (const { language, text } of codeBlocks(readFileSync(join(root, 'README.md'), 'utf8')))
    if (language === 'ts') user.run('cat >example.js; node example.js', { cwd, input: Buffer.from(text) });
}

function step(name: string, action: () => void): void {
  const start = performance.now();
  action();
  console.log(`  ${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
}
