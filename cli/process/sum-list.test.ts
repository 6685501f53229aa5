import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { expectUnlisted, sumLine } from './sum-list.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-sums-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = '5e'.repeat(32);
const list = join(folder, 'sums');

describe('expectUnlisted()', () => {
  const lines = Array.from({ length: 40_000 }, (_, i) => sumLine({ path: `states/${i}.sav`, sha256 }));
  const text = lines.join('');

  it('finds a file wherever it stands in a long list', async () => {
    expect(text.length).toBeGreaterThan(3 * MIB);
    writeFileSync(list, text);
    // Lines at the borders of the pieces that are read at once, and at both ends.
    const borders = [1, 2, 3].flatMap((piece) => {
      const at = text.slice(0, piece * MIB).split('\n').length - 1;
      return [at - 1, at, at + 1];
    });
    for (const i of [0, ...borders, lines.length - 1])
      await expect(expectUnlisted(list, `states/${i}.sav`), String(i)).rejects.toMatchObject({ code: 'EEXIST' });
    await expectUnlisted(list, `states/${lines.length}.sav`);
  });

  it.each(['a\nb', 'back\\slash', ' two  blanks', '\\'])('finds %j, and no name that ends like it', async (path) => {
    writeFileSync(list, sumLine({ path: `other  ${path}`, sha256 }));
    await expectUnlisted(list, path);
    writeFileSync(list, sumLine({ path, sha256 }), { flag: 'a' });
    await expect(expectUnlisted(list, path)).rejects.toMatchObject({ code: 'EEXIST' });
  });

  it('finds a file in a last line without end, and nothing where there is no list', async () => {
    writeFileSync(list, sumLine({ path: 'a', sha256 }).trimEnd());
    await expect(expectUnlisted(list, 'a')).rejects.toMatchObject({ code: 'EEXIST' });
    await expectUnlisted(join(folder, 'none'), 'a');
  });

  it('keeps no line without end in memory', async () => {
    writeFileSync(list, `${'x'.repeat(5 * MIB)}\n${sumLine({ path: 'a', sha256 })}`);
    await expect(expectUnlisted(list, 'a')).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
