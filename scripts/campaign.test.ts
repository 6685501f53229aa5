import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const files = ['formats', 'src', 'migrations', 'cli']
  .flatMap((floor) => readdirSync(join(root, floor), { recursive: true, encoding: 'utf8' }))
  .filter((path) => path.endsWith('.campaign.ts'))
  .map((path) => basename(path, '.campaign.ts'))
  .sort();

function campaign(...args: string[]) {
  return spawnSync(process.execPath, [join(root, 'scripts/campaign.js'), ...args], { encoding: 'utf8' });
}

describe('campaigns', () => {
  it('have names of their own, which are listed when none is given', () => {
    expect(new Set(files).size).toBe(files.length);
    const { status, stderr } = campaign();
    expect(status).toBe(2);
    expect(stderr.match(/(?<=^ {2})\S+$/gm)).toEqual(files);
  });

  it('are found by name, and one that asks for something else ends as it says', () => {
    const { status, stderr } = campaign('captures');
    expect(stderr).toContain('Which folder? npm run campaign -- captures FOLDER\n');
    expect(status).toBe(2);
  });

  it('fail where they have tried nothing', () => {
    const { status, stdout } = campaign('pgm-samples', join(root, 'docs'));
    expect([status, stdout]).toEqual([1, '0 states, 0 differ\n']);
  });

  it('are not guessed', () => {
    const { status, stderr } = campaign('capture');
    expect(status).toBe(2);
    expect(stderr).toMatch(/^There is no campaign capture\n/);
  });
});
