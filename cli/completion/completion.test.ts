import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { stateWith } from '../../formats/testing/claimed-state.ts';
import { STATES_FOLDER } from '../../src/testing/states.ts';
import { COMMANDS } from '../command-list.ts';
import { runHere } from '../testing/run-here.ts';
import { MAIN } from '../testing/run-savkit.ts';
import { expectSchema } from '../testing/savkit-json.ts';
import { SHELLS } from './scripts.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-completion-'));
const state = join(STATES_FOLDER, 'own-long.sav');
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const hasBash = spawnSync('bash', ['--version']).status === 0;

/** The completions that bash offers for the last of some words. */
function offered(script: string, ...words: string[]): string[] {
  const file = join(folder, 'completion.bash');
  writeFileSync(file, script);
  const quoted = ['savkit', ...words].map((word) => `'${word}'`).join(' ');
  const { stdout, stderr } = spawnSync(
    'bash',
    [
      '--norc',
      '-c',
      `
    savkit() { ${JSON.stringify(process.execPath)} ${JSON.stringify(MAIN)} "$@"; }
    . ${file}; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _savkit; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  return stdout.trim().split('\n');
}

describe('savkit completion', () => {
  it.each(SHELLS)('gives %s all commands', async (shell) => {
    const { stdout, exitCode } = await runHere('completion', shell);
    expect(exitCode).toBe(0);
    for (const { command } of COMMANDS) expect(stdout).toContain(command.split(' ')[0]);
    expect(stdout).not.toMatch(/undefined|\[object/);
  });

  it.skipIf(!hasBash)('lets bash complete commands, options, their values, and names in a state', async () => {
    const { stdout: script } = await runHere('completion', 'bash');
    expect(offered(script, 'ver')).toEqual(['verify']);
    expect(offered(script, 'verify', '--un')).toEqual(['--units']);
    expect(offered(script, 'extract', '--format', 'vb')).toEqual(['vbox-core']);
    expect(offered(script, 'control', 'vm.sock', 'pa')).toEqual(['pause']);
    expect(offered(script, 'inspect', state, '--unit', 'pg')).toEqual(['pgm/1']);
    // Files are for bash itself.
    expect(offered(script, 'verify', 'own')).toEqual(['']);
  });

  it.skipIf(!hasBash)('lets no name in a file become a command', async () => {
    const hostile = join(folder, 'hostile.sav');
    const mark = join(folder, 'mark');
    const names = [`$(>${mark})`, `\`>${mark}\``, "';x", '-o', '\u001b[2J', 'two words', 'plain'];
    writeFileSync(
      hostile,
      await stateWith(
        {},
        undefined,
        names.map((name) => ({ name, size: 8 })),
      ),
    );
    const { stdout: script } = await runHere('completion', 'bash');
    expect(offered(script, 'inspect', hostile, '--unit', '')).toEqual(['pgm/1', 'two\\ words/5', 'plain/6']);
    expect(offered(script, 'inspect', hostile, '--unit', 'two\\ w')).toEqual(['two\\ words/5']);
    expect(existsSync(mark)).toBe(false);
    // A shell that asks savkit for names gets only harmless ones as well.
    expect((await runHere('completion', 'unit', hostile)).stdout).toBe('pgm/1\ntwo words/5\nplain/6\n');
  });

  it('names units, ROMs and device memory of a state', async () => {
    const names = async (kind: string) => {
      const document = JSON.parse((await runHere('completion', kind, state, '--json')).stdout);
      expectSchema(document);
      return document.files[0].result.names as string[];
    };
    expect(await names('unit')).toContain('pgm/1');
    expect((await names('rom')).length).toBeGreaterThan(0);
    for (const name of await names('rom'))
      expect((await runHere('extract', state, '--rom', name, '-o', join(folder, 'rom'), '-f')).exitCode).toBe(0);
    expect((await runHere('completion', 'unit')).exitCode).toBe(2);
  });
});
