import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../files/source.ts';
import { compareWithTruth, type Truth } from '../testing/pgm-truth.ts';

const folder = new URL('../../test-vectors/states/', import.meta.url);
const names = readdirSync(folder).filter((name) => name.endsWith('.sav'));

describe('states that VirtualBox wrote', () => {
  it.each(names)('%s reads as its description says', async (name) => {
    const truth = JSON.parse(readFileSync(new URL(name.replace('.sav', '.json'), folder), 'utf8')) as Truth;
    const pairs = await compareWithTruth(bufferSource(readFileSync(new URL(name, folder))), truth);
    for (const [subject, [found, expected]] of pairs) expect(found, subject).toEqual(expected);
  });
});
