import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Stamp } from './stamp.js';

describe('Stamp', () => {
  let root: string;
  const at = (path: string) => join(root, path);
  const stamp = () =>
    new Stamp(root, {
      stamp: 'out/.stamp',
      inputs: ['src', 'settings.json', 'missing.json'],
      isInput: (path) => !path.endsWith('.md'),
      outputs: ['out', 'also.bin'],
    });

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'savkit-stamp-'));
    for (const folder of ['src/deep', 'out/deep']) mkdirSync(at(folder), { recursive: true });
    for (const path of [
      'src/a.ts',
      'src/deep/b.ts',
      'src/notes.md',
      'settings.json',
      'out/a.js',
      'out/deep/b.js',
      'also.bin',
    ])
      writeFileSync(at(path), path);
    const built = stamp();
    expect(built.isCurrent()).toBe(false);
    built.write();
    expect(stamp().isCurrent()).toBe(true);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it.each<[string, () => void]>([
    ['an input is another one of the same size and time', () => rewrite('src/deep/b.ts', 'src/deep/c.ts')],
    ['an input is new', () => writeFileSync(at('src/deep/c.ts'), '')],
    ['an input that was missing is there', () => writeFileSync(at('missing.json'), '')],
    ['an input is gone', () => rmSync(at('src/a.ts'))],
    ['all inputs are gone', () => rmSync(at('src'), { recursive: true })],
    ['an output is gone', () => rmSync(at('out/deep/b.js'))],
    ['an output elsewhere is gone', () => rmSync(at('also.bin'))],
    ['an output is cut', () => writeFileSync(at('out/a.js'), '')],
    ['outputs are gone', () => rmSync(at('out'), { recursive: true })],
    ['a build was interrupted', () => stamp().remove()],
  ])('is not current when %s', (_, change) => {
    change();
    expect(stamp().isCurrent()).toBe(false);
  });

  it.each<[string, () => void]>([
    ['files have another time', () => utimesSync(at('src/a.ts'), 0, 0)],
    ['a file changes that is no input', () => writeFileSync(at('src/notes.md'), 'changed')],
  ])('is current when %s', (_, change) => {
    change();
    expect(stamp().isCurrent()).toBe(true);
  });

  it('is not current when an input changed during the build', () => {
    const during = stamp();
    writeFileSync(at('src/a.ts'), 'changed');
    during.write();
    expect(stamp().isCurrent()).toBe(false);
  });

  function rewrite(path: string, content: string): void {
    const time = new Date(1e12);
    utimesSync(at(path), time, time);
    writeFileSync(at(path), content);
    utimesSync(at(path), time, time);
  }
});
