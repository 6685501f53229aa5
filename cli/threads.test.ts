import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';

// Threads are asked for: states as small as these get one otherwise. One thread needs no process of its own.

const plain = join(STATES_FOLDER, 'own-long.sav');
const live = join(STATES_FOLDER, 'own-long-live.sav');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-threads-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** Whole states, and one with a broken block among those that other threads may look at. */
function states(): string[] {
  const damaged = join(folder, 'damaged.sav');
  const bytes = readFileSync(plain);
  bytes[100_000] ^= 4;
  writeFileSync(damaged, bytes);
  return [plain, live, damaged];
}

function withThreads(threads: number, ...words: string[]): Promise<{ exitCode: unknown; stderr: string }> {
  const all = [...words, '--threads', String(threads)];
  return threads === 1 ? runHere(...all) : runSavkit(all);
}

describe('--threads', () => {
  it('does not change what verify says', async () => {
    const files = states();
    const [one, three] = [
      await runHere('verify', '--json', '--threads', '1', ...files),
      await runSavkit(['verify', '--json', '--threads', '3', ...files]),
    ];
    const result = ({ stdout }: { stdout: Buffer | string }) => ({ ...JSON.parse(stdout.toString()), time: null });
    expect(result(three)).toEqual(result(one));
    expect(three.exitCode).toBe(1);
  });

  it('does not change the manifest', async () => {
    const [one, two] = ['1', '2'].map((threads) => join(folder, `${threads}.manifest`));
    for (const [i, output] of [one, two].entries())
      expect(await withThreads(1 + i, 'manifest', live, '-o', output)).toMatchObject({ exitCode: 0 });
    const contentOf = (path: string) => ({ ...JSON.parse(readFileSync(path, 'utf8')), created: null });
    expect(contentOf(two)).toEqual(contentOf(one));
  });

  it('does not change a byte of what extract writes', async () => {
    for (const [file, format] of [
      [plain, 'sparse'],
      [plain, 'lime'],
      [live, 'raw'],
    ]) {
      const images = ['1', '3'].map((threads) => join(folder, `${format}-${threads}`));
      for (const [i, image] of images.entries()) {
        const { exitCode } = await withThreads(1 + 2 * i, 'extract', file, '--format', format, '-o', image, '--force');
        expect(exitCode).toBe(0);
      }
      const [one, three] = images.map((image) => readFileSync(image));
      expect(three.equals(one), `${file} ${format}`).toBe(true);
      if (format === 'sparse') expect(statSync(images[1]).blocks).toBe(statSync(images[0]).blocks);
    }
  });

  it('does not change a byte of what convert writes', async () => {
    for (const [file, ...options] of [
      [live, '--recompress'],
      [live, '--recompress', '--flatten', '--pgm', '13'],
      [plain, '--recompress', '--container', '1.2'],
    ]) {
      const outputs = ['1', '3'].map((threads) => join(folder, `converted-${threads}`));
      for (const [i, output] of outputs.entries()) {
        const { exitCode, stderr } = await withThreads(1 + 2 * i, 'convert', file, output, ...options, '--force');
        expect(exitCode, stderr).toBe(0);
      }
      const [one, three] = outputs.map((output) => readFileSync(output));
      expect(three.equals(one), `${file} ${options}`).toBe(true);
    }
  });

  it('does not change how convert refuses a damaged state', async () => {
    const [, , damaged] = states();
    const said: string[] = [];
    for (const threads of [1, 3]) {
      const options = ['--recompress', '--pgm', '13'];
      const { exitCode, stderr } = await withThreads(threads, 'convert', damaged, join(folder, 'none'), ...options);
      expect(exitCode).toBe(1);
      expect(existsSync(join(folder, 'none'))).toBe(false);
      said.push(stderr);
    }
    expect(said[1]).toBe(said[0]);
  });

  it('does not change how extract refuses a damaged state', async () => {
    const [, , damaged] = states();
    const [one, three] = [
      await runHere('extract', damaged, '-o', join(folder, 'none'), '--threads', '1'),
      await runSavkit(['extract', damaged, '-o', join(folder, 'none'), '--threads', '3']),
    ];
    expect(three.exitCode).toBe(1);
    expect(three.stderr).toBe(one.stderr);
  });

  it('takes whole numbers from 1 on', async () => {
    for (const threads of ['0', '-1', '1.5', 'two'])
      expect((await runHere('verify', plain, `--threads=${threads}`)).exitCode).toBe(2);
  });
});
