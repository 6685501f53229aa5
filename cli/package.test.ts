import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { BareUser } from './testing/bare-user.ts';
import { brokenLinks } from './testing/markdown.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The packed package, in a project of a user who has neither compiler nor home (bare-user.ts). */
describe('the package, packed and installed elsewhere', () => {
  const user = new BareUser();
  const write = (name: string, content: string | Buffer) => user.run(`cat >${name}`, { input: Buffer.from(content) });

  beforeAll(() => {
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', user.folder], {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
    write('package.json', JSON.stringify({ name: 'elsewhere', type: 'module', private: true }));
    write('state.sav', readFileSync(join(STATES_FOLDER, 'own-pae.sav')));
    user.run(`npm install ./${filename}`);
  }, 240_000);
  afterAll(() => user.remove());

  it('runs as npx savkit', () => {
    expect(user.run('npx --no-install savkit verify state.sav')).toContain(': whole');
  });

  it('has a man page of each page in docs/commands, which package.json names', () => {
    const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
    const pages = readdirSync(join(root, 'docs/commands')).map((name) => name.replace('.md', '.1'));
    const expected = pages.map((page) => `./dist/man/${page === 'README.1' ? 'savkit.1' : `savkit-${page}`}`);
    expect([...man].sort()).toEqual(expected.sort());
    const textOf = (path: string) => readFileSync(join(user.folder, 'node_modules/savkit', path), 'utf8');
    expect(textOf('dist/man/savkit-verify.1').slice(0, 3)).toBe('.TH');
    for (const path of man) expect(textOf(path), path).toContain('.SH');
  });

  it('has documents whose links lead somewhere', () => {
    const installed = join(user.folder, 'node_modules/savkit');
    const documents = readdirSync(installed, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => path.endsWith('.md'));
    expect(documents).toContain('README.md');
    expect(documents.length).toBeGreaterThan(50);
    for (const document of documents) expect(brokenLinks(installed, document), document).toEqual([]);
  });

  it('can be imported', () => {
    write(
      'use.mjs',
      `import { openFile, verify } from 'savkit';\nconst report = await verify(await openFile('state.sav'));\nconsole.log(report.verdict);\n`,
    );
    expect(user.run('node use.mjs')).toContain('whole');
  });

  it('has what the README names', () => {
    const names =
      'openFile, inspect, describeState, verify, extract, convert, salvage, makeManifest, diffStates, check, walkState';
    const ofMachines = 'loadState, saveState, Console';
    write(
      'names.mjs',
      `import { ${names} } from 'savkit';\nimport { ${ofMachines} } from 'savkit/machine';\nconsole.log([${names}, ${ofMachines}].every((each) => typeof each === 'function'));\n`,
    );
    expect(user.run('node names.mjs')).toContain('true');
  });

  it('is put together as Node and bundlers expect it', async () => {
    const { messages, pkg } = await publint({
      pkgDir: join(user.folder, 'node_modules/savkit'),
      pack: false,
      strict: true,
    });
    expect(pkg.name).toBe('savkit');
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });

  it('holds what its exports name, no tests, no campaigns and no states', () => {
    const files = user.run('find node_modules/savkit -type f');
    expect(files).not.toMatch(/\.test\.|\.campaign\.|\.bench\.|\/testing\/|\.sav/);
    expect(files).toContain('LICENSE');
    const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const { './package.json': _, ...doors } = exports;
    expect(Object.keys(doors)).toContain('./formats');
    for (const paths of Object.values<Record<string, string>>(doors))
      for (const path of Object.values(paths)) expect(files).toContain(path.slice(2));
  });
});
