import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { Packing } from '../formats/files/packings.ts';
import { qemuSample } from '../src/testing/qemu-samples.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { MAIN, runSavkit } from './testing/run-savkit.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-packed-'));
const original = join(STATES_FOLDER, 'own-long.sav');
const state = readFileSync(original);
afterEach(() => vi.unstubAllEnvs());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Packs bytes by the program of that name; undefined where this machine lacks it. */
function pack(packing: Packing, bytes: Uint8Array): Buffer | undefined {
  try {
    return execFileSync(packing, ['-c'], { input: bytes, stdio: ['pipe', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}

const packed = (['gzip', 'xz', 'zstd', 'bzip2'] as const).flatMap((packing) => {
  const bytes = pack(packing, state);
  return bytes ? [{ packing, bytes }] : [];
});

function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('a packed state', () => {
  it('can be made on this machine in at least two packings', () => {
    expect(packed.map(({ packing }) => packing)).toEqual(expect.arrayContaining(['gzip', 'xz']));
  });

  it.each(packed)('$packing: is read as it is', async ({ bytes }) => {
    const { stdout, exitCode } = await runHere('verify', fileOf('state', bytes));
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining(': whole (V2.0')]);
  });

  it.each(packed)('$packing: is damaged where it is cut', async ({ bytes }) => {
    const cut = fileOf('cut', bytes.subarray(0, bytes.length - 2000));
    const { stdout, stderr, exitCode } = await runHere('verify', cut);
    expect([exitCode, stdout + stderr]).toEqual([1, expect.stringMatching(/compressed stream is damaged or cut off/)]);
  });

  it('that is no state inside is refused by its first bytes', async () => {
    const file = fileOf('other.gz', gzipSync(Buffer.alloc(3 << 20, 'no state ')));
    // Whatever is unpacked goes to this folder.
    vi.stubEnv('TMPDIR', join(folder, 'not-there'));
    for (const command of ['stats', 'salvage', 'convert']) {
      const { exitCode, stderr } = await runHere(command, file, ...(command === 'stats' ? [] : [join(folder, 'none')]));
      expect([command, exitCode, stderr]).toEqual([command, 5, expect.stringContaining('not a saved state of')]);
    }
  });

  it('comes through a pipe, too', async () => {
    const { stdout, exitCode } = await runSavkit(['verify', '-'], { stdin: gzipSync(state) });
    expect([exitCode, stdout.toString()]).toEqual([0, expect.stringContaining('-: whole')]);
  });

  it('gives the same memory and the same differences to commands that read more than once', async () => {
    const file = fileOf('state.sav.gz', gzipSync(state));
    const [plain, unpacked] = [join(folder, 'plain.raw'), join(folder, 'unpacked.raw')];
    await runHere('extract', original, '-o', plain);
    expect((await runHere('extract', file, '-o', unpacked)).exitCode).toBe(0);
    expect(readFileSync(unpacked).equals(readFileSync(plain))).toBe(true);
    expect((await runHere('diff', file, original)).exitCode).toBe(0);
  });

  it('may be one of QEMU', async () => {
    const { stdout, exitCode } = await runHere('verify', fileOf('guest.gz', gzipSync(qemuSample('long-10.state'))));
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('no damage found')]);
  });

  it('needs the program of its packing where Node does not know it, and says so', async () => {
    const file = fileOf('state.xz', pack('xz', state) ?? Buffer.alloc(0));
    const { stderr, exitCode } = await runSavkit(['verify', file], { env: { PATH: '' } });
    expect([exitCode, stderr]).toEqual([5, expect.stringContaining('the program xz is not installed')]);
  });

  it.skipIf(process.platform === 'win32')('does not keep a command that is told to end while xz hangs', async () => {
    const [bin, mark] = [join(folder, 'bin'), join(folder, 'asked')];
    mkdirSync(bin);
    writeFileSync(join(bin, 'xz'), `#!/bin/sh\necho $$ > ${mark}\ntrap '' TERM\nexec sleep 100`, { mode: 0o755 });
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
    const file = fileOf('hanging.xz', Buffer.from('fd377a585a0000046d6f7265206f6620697420000000', 'hex'));
    const child = spawn(process.execPath, [MAIN, 'verify', file], { env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await vi.waitUntil(() => existsSync(mark) && readFileSync(mark, 'utf8').includes('\n'), 60_000);
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
    process.kill(Number(readFileSync(mark, 'utf8')), 'SIGKILL');
  });

  it('is never replaced by what it holds', async () => {
    const file = fileOf('inplace.sav.gz', gzipSync(state));
    const { stderr, exitCode } = await runHere('convert', file, file, '--force');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining('it is an input itself')]);
  });
});
