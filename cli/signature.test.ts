import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { MAIN } from './testing/run-savkit.ts';
import { expectSchema } from './testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-signature-'));
const at = (name: string) => join(folder, name);
const state = join(STATES_FOLDER, 'own-long.sav');
const manifest = at('machine.manifest');
const hasKeygen = spawnSync('ssh-keygen', ['-?']).error === undefined;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function makeKey(name: string): string {
  spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]);
  return `${name}@lab ${readFileSync(at(`${name}.pub`), 'utf8')}`;
}

const verify = (signers: string) =>
  runHere('verify', '--manifest', manifest, '--signers', at(signers), state, '--json').then(({ stdout, exitCode }) => {
    const document = JSON.parse(stdout);
    expectSchema(document);
    return { exitCode, signer: document.files[0].result?.signer, code: document.files[0].error?.code };
  });

describe.skipIf(!hasKeygen)('a signed manifest', () => {
  beforeAll(async () => {
    writeFileSync(at('signers'), makeKey('alice'));
    writeFileSync(at('others'), makeKey('mallory'));
    const { exitCode, stdout } = await runHere('manifest', state, '-o', manifest, '--sign', at('alice'), '--json');
    expectSchema(JSON.parse(stdout));
    expect(exitCode).toBe(0);
  });

  it('is one for ssh-keygen itself', () => {
    const words = [
      '-Y',
      'verify',
      '-n',
      'savkit-manifest',
      '-f',
      at('signers'),
      '-I',
      'alice@lab',
      '-s',
      `${manifest}.sig`,
    ];
    expect(spawnSync('ssh-keygen', words, { input: readFileSync(manifest) }).status).toBe(0);
  });

  it('counts where one of the signers has signed it, and nobody else', async () => {
    expect(await verify('signers')).toEqual({ exitCode: 0, signer: 'alice@lab', code: undefined });
    expect(await verify('others')).toMatchObject({ exitCode: 1, code: 'bad-signature' });
  });

  it('does not count once it was changed, or was signed for something else', async () => {
    const [before, signature] = [readFileSync(manifest), readFileSync(`${manifest}.sig`)];
    appendFileSync(manifest, ' ');
    expect(await verify('signers')).toMatchObject({ exitCode: 1, code: 'bad-signature' });
    writeFileSync(manifest, before);
    copyFileSync(manifest, at('other'));
    spawnSync('ssh-keygen', ['-q', '-Y', 'sign', '-n', 'file', '-f', at('alice'), at('other')]);
    copyFileSync(at('other.sig'), `${manifest}.sig`);
    expect(await verify('signers')).toMatchObject({ exitCode: 1, code: 'bad-signature' });
    writeFileSync(`${manifest}.sig`, signature);
    expect(await verify('signers')).toMatchObject({ exitCode: 0 });
  });

  it('is not written where the key does not sign', async () => {
    const { exitCode, stderr } = await runHere('manifest', state, '-o', at('unsigned'), '--sign', at('none'));
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('Cannot sign')]);
    expect(() => readFileSync(at('unsigned'))).toThrow();
    expect((await runHere('manifest', state, '-o', '-', '--sign', at('alice'))).exitCode).toBe(2);
  });
});

describe.skipIf(process.platform === 'win32')('an ssh-keygen that waits for its agent', () => {
  it('does not keep a command that is told to end', async () => {
    const mark = at('asked');
    mkdirSync(at('bin'));
    writeFileSync(at('bin/ssh-keygen'), `#!/bin/sh\n: > ${mark}\ntrap '' TERM\nexec sleep 100`, { mode: 0o755 });
    const env = { ...process.env, PATH: `${at('bin')}${delimiter}${process.env.PATH}` };
    const words = [MAIN, 'manifest', state, '-o', at('unsigned.manifest'), '--sign', at('key')];
    const child = spawn(process.execPath, words, { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await vi.waitUntil(() => existsSync(mark), 60_000);
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
    expect(existsSync(at('unsigned.manifest'))).toBe(false);
  });
});
