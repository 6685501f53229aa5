import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const BIN = fileURLToPath(new URL('../../dist/bin', import.meta.url));
const STATE = fileURLToPath(new URL('../../test-vectors/states/own-pae.sav', import.meta.url));
const CACHE = `code-cache/${process.version}-${process.arch}`;
const WHOLE = `${STATE}: whole (V2.0 by VirtualBox 7.2.22, 26 units, 221.0 KiB)\n`;

function runNode(...words: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, words, { encoding: 'utf8' });
}

describe('the bundle of the command line', () => {
  it('has all code of a verify compiled, and V8 takes it', () => {
    const program = `
      const { loadCached, scripts } = require('./cached-loader.cjs');
      process.argv.splice(1, 0, 'savkit', 'verify', '-q', ${JSON.stringify(STATE)});
      process.on('exit', () => {
        const refused = [...scripts].filter(([, script]) => script.cachedDataRejected !== false);
        console.log(scripts.size, refused.map(([name]) => name).join());
      });
      loadCached('./savkit.entry.js', './${CACHE}');`;
    const { stdout, stderr } = spawnSync(process.execPath, ['-e', program], { cwd: BIN, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^\d\d \n$/);
  });

  describe('elsewhere', () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-bundle-'));
    const bin = join(folder, 'dist/bin');
    beforeAll(() => {
      cpSync(BIN, bin, { recursive: true });
      cpSync(join(BIN, '../../package.json'), join(folder, 'package.json'));
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it.each<[string, (path: string) => void]>([
      ['is cut', (path) => truncateSync(path, 100)],
      ['is empty', (path) => truncateSync(path, 0)],
      ['is of another V8', (path) => writeFileSync(path, Buffer.alloc(4096, 0xa5))],
      ['is not there', (path) => rmSync(path)],
    ])('runs where compiled code %s', (_, damage) => {
      for (const name of readdirSync(join(bin, CACHE))) damage(join(bin, CACHE, name));
      expect(runNode(join(bin, 'savkit.js'), 'verify', STATE)).toMatchObject({ stdout: WHOLE, stderr: '' });
    });

    it('runs in a Node that has compiled nothing', () => {
      rmSync(join(bin, 'code-cache'), { recursive: true });
      expect(runNode(join(bin, 'savkit.js'), 'verify', STATE)).toMatchObject({ stdout: WHOLE, stderr: '' });
    });
  });
});
