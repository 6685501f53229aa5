import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readPublicApi } from './testing/public-api.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const doors = Object.values<string | { types: string }>(exports).flatMap((each) =>
  typeof each === 'string' ? [] : [each.types.replace('./dist/', '')],
);

describe('doors of the package', () => {
  const api = readPublicApi(join(root, 'dist'), doors);

  it('say of every export and of every public member what it is', () => {
    expect(api.undocumented).toEqual([]);
  });

  it('show every type that a public signature names', () => {
    expect(api.hidden).toEqual([]);
  });

  it('keep the first one small: files, verbs, reports', () => {
    expect([...api.names.values()][0].length).toBeLessThanOrEqual(65);
  });

  it('show a name in one place only', () => {
    const names = [...api.names.values()].flat();
    expect(names.length).toBeGreaterThan(300);
    expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
  });
});

describe('the reading of declarations', () => {
  const api = readPublicApi(join(root, 'cli/testing/public-api'), ['door.d.ts']);

  it('finds what is not documented, and only that', () => {
    expect(api.undocumented).toEqual([
      'room.d.ts Bare',
      'room.d.ts Bare.ofUnion',
      'room.d.ts Built.constructor',
      'room.d.ts Built.grown',
    ]);
  });

  it('finds types that no door shows, and only those', () => {
    expect(api.hidden).toEqual(['room.d.ts Hidden, in Built', 'room.d.ts Parent, in Built']);
  });
});
