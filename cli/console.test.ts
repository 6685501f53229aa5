import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';
import { savkitFile } from './testing/savkit-json.ts';

const state = join(STATES_FOLDER, 'own-pae.sav');

describe('savkit console', () => {
  it('answers commands of the command line, in JSON too', async () => {
    const { stdout, exitCode } = await runHere('console', state, '-c', 'info mode guest', '-c', 'pgmram');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Guest paging mode (VCPU #0):  PAE+NX');
    expect(stdout).toContain('From     - To (incl) pvHC');
    expect(await savkitFile('console', state, '-c', 'walk 0x1000', '-c', 'nonsense')).toMatchObject({
      exitCode: 2,
      result: {
        answers: [{ rows: [{ virtual: '0x1000', physical: '0x1000' }] }, { error: { code: 'unknown-command' } }],
      },
    });
  });

  it('reads commands from a file, and writes a changed machine', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-console-'));
    try {
      const output = join(folder, 'new.sav');
      const { exitCode } = await runSavkit(['console', state], {
        stdin: Buffer.from(`poke 0x1000 cafe\nsave ${output}\n`),
      });
      expect(exitCode).toBe(0);
      expect((await runHere('peek', output, '--at', '0x1000', '--len', '2', '--raw')).stdout).toBe('\xca\xfe');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  // For a user without a home the state goes to the folder of temporary files.
  const homes: [NodeJS.Signals, string][] = [
    ['SIGHUP', 'XDG_STATE_HOME'],
    ['SIGTERM', 'XDG_STATE_HOME'],
    ['SIGTERM', 'TMPDIR'],
  ];
  it.each(homes)('saves what has changed, and says where, when %s ends it (in %s)', async (signal, variable) => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-console-'));
    const child = spawn(process.execPath, ['dist/bin/savkit.js', 'console', state], {
      env: { ...process.env, HOME: '', XDG_STATE_HOME: '', [variable]: folder },
    });
    try {
      child.stdin.write('poke 0x1000 cafe\n');
      await once(child.stdout, 'data');
      child.kill(signal);
      const [told] = await once(child.stderr, 'data');
      expect(await once(child, 'close')).toEqual([130, null]);
      const [, path] = /it is saved in (.*)\n/.exec(String(told)) ?? [];
      expect(path.startsWith(folder)).toBe(true);
      expect((await runHere('peek', path, '--at', '0x1000', '--len', '2', '--raw')).stdout).toBe('\xca\xfe');
    } finally {
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true });
    }
  });
});
