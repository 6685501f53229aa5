import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const state = join(STATES_FOLDER, 'own-pae.sav');

describe('the package, packed and installed elsewhere', () => {
  let folder: string;
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'savkit-package-'));
    const [{ filename }] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
        cwd: root,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    );
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'elsewhere', type: 'module', private: true }));
    // Compiling zstd-napi takes half a minute; without it everything works, migrations compress less.
    run('npm', 'install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', `./${filename}`);
  }, 240_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('runs as npx savkit', () => {
    expect(run('npx', '--no-install', 'savkit', 'verify', state)).toContain(': whole');
  });

  it('can be imported', () => {
    writeFileSync(
      join(folder, 'use.mjs'),
      `import { openFile, verify } from 'savkit';\nconst report = await verify(await openFile(${JSON.stringify(state)}));\nconsole.log(report.verdict);\n`,
    );
    expect(run(process.execPath, 'use.mjs')).toContain('whole');
  });

  it('has what the README names', () => {
    const names =
      'openFile, inspect, describeState, verify, extract, convert, salvage, makeManifest, diffStates, check, loadState, saveState, walkState, Console';
    writeFileSync(join(folder, 'names.mjs'), `import { ${names} } from 'savkit';\nconsole.log([${names}].every((each) => typeof each === 'function'));\n`);
    expect(run(process.execPath, 'names.mjs')).toContain('true');
  });

  it('has types', () => {
    const source = `import { openFile, verify, type VerifyReport } from 'savkit';\nconst report: VerifyReport = await verify(await openFile('x'));\nconst text: string = report.verdict;\n// @ts-expect-error a verdict is no number\nconst count: number = report.verdict;\nconsole.log(text, count);\n`;
    writeFileSync(join(folder, 'use.ts'), source);
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')];
    expect(() => run(process.execPath, tsc, '--noEmit', '--strict', '--target', 'es2023', '--module', 'nodenext', ...types, 'use.ts')).not.toThrow();
  });

  it('holds no tests, no campaigns and no states', () => {
    const files = run('find', 'node_modules/savkit', '-type', 'f');
    expect(files).not.toMatch(/\.test\.|\.campaign\.|\.bench\.|\/testing\/|\.sav/);
    expect(files).toContain('LICENSE');
  });
});
