import { describe, expect, it } from 'vitest';
import { buildV1, buildV2, placesIn, randomPage } from '../testing/container-builder.ts';
import { readTolerantly, sourcesOf } from '../testing/container-reading.ts';

const NAMES = ['one', 'two', 'three', 'four', 'five', 'six'];
/** Memory of a guest that itself looks at saved states: headers that could be mistaken for some of this file. */
const lookalike = (offset: number) => {
  const page = Buffer.from(randomPage());
  buildV2([{ name: 'fake', payload: Buffer.from('never') }]).copy(page, 1000, 64);
  page.writeBigUInt64LE(BigInt(offset), 1008);
  return page;
};
const UNITS = NAMES.map((name, i) => ({
  name,
  instance: i,
  payload: i % 2 ? Buffer.from(randomPage()) : lookalike(5000 * i),
}));

async function goodUnits(file: Uint8Array): Promise<string[][]> {
  const results: string[][] = [];
  for (const [, source] of sourcesOf(file)) results.push((await readTolerantly(source)).good);
  return results;
}

describe('a damaged V2.0 file', () => {
  const file = buildV2(UNITS);
  const { units } = placesIn(file);

  for (const damaged of [[0], [5], [1, 2], [0, 2, 4], [1, 3, 5]]) {
    const rest = NAMES.filter((_, i) => !damaged.includes(i));

    it(`with broken records in units ${damaged} gives all others, from a file and from a pipe`, async () => {
      const broken = Buffer.from(file);
      for (const i of damaged) broken.fill(0xee, units[i].records, units[i].records + 3);
      for (const good of await goodUnits(broken)) expect(good).toEqual(rest);
    });

    it(`with changed bytes in units ${damaged} gives all others: each is judged by itself`, async () => {
      const broken = Buffer.from(file);
      for (const i of damaged) broken[units[i].records + 2000] ^= 4;
      for (const good of await goodUnits(broken)) expect(good).toEqual(rest);
    });

    it(`with overwritten headers of units ${damaged} gives all others`, async () => {
      const broken = Buffer.from(file);
      for (const i of damaged) broken.fill(0, units[i].start, units[i].records);
      for (const good of await goodUnits(broken)) expect(good).toEqual(rest);
    });
  }

  it('whose record claims to swallow the next units gives these all the same, where it can read back', async () => {
    const broken = Buffer.from(file);
    Buffer.of(0x92, 0xf0, 0x92, 0x80, 0x80).copy(broken, units[1].records);
    const [fromFile] = await goodUnits(broken);
    expect(fromFile).toEqual(['one', 'three', 'four', 'five', 'six']);
  });

  it('whose directory claims more or fewer entries than there are gives all other units all the same', async () => {
    const directory = file.lastIndexOf('\nDir\n');
    for (const count of [0, NAMES.length + 1, 0xffffffff]) {
      const broken = Buffer.from(file);
      broken.fill(0, units[1].start, units[1].records);
      broken.writeUInt32LE(count, directory + 12);
      for (const good of await goodUnits(broken)) expect(good).toEqual(NAMES.filter((name) => name !== 'two'));
    }
  });

  it('is not taken in by headers within payloads', async () => {
    const { all } = await readTolerantly(sourcesOf(file)[0][1]);
    expect(all).toEqual(NAMES);
    const broken = Buffer.from(file);
    for (const { records } of units) broken.fill(0xee, records, records + 2);
    for (const [, source] of sourcesOf(broken)) expect((await readTolerantly(source)).all).not.toContain('fake');
  });
});

describe('a damaged V1.2 file', () => {
  const file = buildV1('1.2', UNITS);
  const starts = NAMES.map((name) => file.indexOf(`${name}\0`));

  for (const damaged of [[0], [5], [1, 2], [0, 2, 4]]) {
    it(`with broken blocks in units ${damaged} gives all others: a header says where its unit ends`, async () => {
      const broken = Buffer.from(file);
      for (const i of damaged) broken.fill(0xee, starts[i] + NAMES[i].length + 2, starts[i] + NAMES[i].length + 9);
      for (const good of await goodUnits(broken)) expect(good).toEqual(NAMES.filter((_, i) => !damaged.includes(i)));
    });

    it(`with overwritten headers of units ${damaged} gives all others from a file`, async () => {
      const broken = Buffer.from(file);
      for (const i of damaged) broken.fill(0, starts[i] - 28, starts[i]);
      const [fromFile] = await goodUnits(broken);
      expect(fromFile).toEqual(NAMES.filter((_, i) => !damaged.includes(i)));
    });
  }
});
