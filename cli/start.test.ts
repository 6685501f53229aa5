import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runSavkit } from './testing/run-savkit.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `verify --jobs 2` where the system starts no process: `child` is what it gives instead. */
function verifyWith(child: string) {
  const preload = join(folder, 'preload.mjs');
  writeFileSync(
    preload,
    `import processes from 'node:child_process';
import { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
processes.fork = () => { ${child} };
syncBuiltinESMExports();`,
  );
  const files = ['own-pae.sav', 'own-long.sav'].map((name) => join(STATES_FOLDER, name));
  return runSavkit(['verify', '--jobs', '2', ...files], {
    env: { NODE_OPTIONS: `--import=${pathToFileURL(preload)}` },
  });
}

describe('a process that can start no other', () => {
  it('says that it cannot start one', async () => {
    const { exitCode, stderr } = await verifyWith(`
      const child = Object.assign(new EventEmitter(), { send: () => true });
      setImmediate(() => child.emit('error', Object.assign(new Error('spawn EAGAIN'), { code: 'EAGAIN' })));
      return child;`);
    expect([exitCode, stderr]).toEqual([
      4,
      expect.stringContaining('own-long.sav: the process that worked on it could'),
    ]);
    expect(stderr).toContain('EAGAIN');
  });

  it('never ends as if its work were done', async () => {
    const { exitCode, stderr } = await verifyWith('return Object.assign(new EventEmitter(), { send: () => true });');
    expect([exitCode, stderr]).toEqual([70, expect.stringContaining('waits for an event that cannot happen any more')]);
  });
});
