import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { PageKind } from '../../../formats/pgm/page-batch.ts';
import { GIB, KIB, MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { stateWith } from '../../../formats/testing/claimed-state.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { poke } from '../../machine/edit.ts';
import { loadState } from '../../machine/load.ts';
import { saveState } from '../../machine/save.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { extractToStream } from '../extract/extract-stream.ts';
import { type PatternKind, patternOf } from './pattern.ts';
import { searchMemory } from './search-memory.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const WORDS = Buffer.from('Größe: Needle & NEEDLE', 'utf8');
/** Across the border of two pieces, and of two pages. */
const AT_BORDER = 2 * MIB - 10;
const RUN = { at: 3 * MIB - 100 * KIB, length: 300 * KIB };

let file: Buffer;
let image: Buffer;

beforeAll(async () => {
  const machine = await loadState(bufferSource(state));
  poke(machine.memory, AT_BORDER, WORDS);
  poke(machine.memory, 0x5000, Buffer.from('Needle', 'utf16le'));
  poke(machine.memory, RUN.at, Buffer.alloc(RUN.length, 'a'));
  const sink = new MemorySink();
  await saveState(machine, sink);
  file = Buffer.from(sink.view());
  const raw = new MemorySink();
  await extractToStream(bufferSource(file), raw, { asSeen: true, range: { start: 0, end: 4 * MIB } });
  image = Buffer.from(raw.view());
});

async function placesOf(
  kind: PatternKind,
  text: string,
  { ignoreCase = false, ...options }: { ignoreCase?: boolean; range?: { start: number; end: number } } = {},
) {
  const { hits } = await searchMemory(bufferSource(file), patternOf(kind, text, ignoreCase), {
    maxHits: 1_000_000,
    ...options,
  });
  return hits.map(({ at }) => at);
}

/**
 * Finds matches in a flat image; places without memory are zeros in it, and no pattern here starts or ends with zeros.
 */
function naively(bytes: Buffer): number[] {
  const places: number[] = [];
  for (let at = 0; at + bytes.length <= image.length; at++) {
    let i = 0;
    while (i < bytes.length && image[at + i] === bytes[i]) i++;
    if (i === bytes.length) places.push(at);
  }
  return places;
}

const below = (places: number[]) => places.filter((at) => at < 4 * MIB);

describe('searchMemory()', () => {
  it.each<[PatternKind, string, Buffer]>([
    ['text', 'Größe', Buffer.from('Größe')],
    ['utf16', 'Needle', Buffer.from('Needle', 'utf16le')],
    ['hex', '4e 65 65 64', Buffer.from('Need')],
    ['hex', '0x4E, 0x65', Buffer.from('Ne')],
    ['hex', '6161', Buffer.from('aa')],
  ])('finds every place of %s "%s", as a search byte by byte does', async (kind, text, bytes) => {
    const places = naively(bytes);
    expect(below(await placesOf(kind, text))).toEqual(places);
    expect(places.length).toBeGreaterThan(0);
  });

  it('finds letters in both cases where that is wanted', async () => {
    const at = AT_BORDER + WORDS.indexOf('Needle');
    expect(await placesOf('text', 'nEEDLE', { ignoreCase: true })).toEqual([at, at + 9]);
    expect(await placesOf('text', 'nEEDLE')).toEqual([]);
    expect(await placesOf('utf16', 'needle', { ignoreCase: true })).toEqual([0x5000]);
    expect(await placesOf('text', 'größe', { ignoreCase: true })).toEqual([AT_BORDER]);
  });

  it('finds expressions as they are found in one piece', async () => {
    const expected = [...image.toString('latin1').matchAll(/[A-Za-z]{5,9}/g)].map(({ index }) => index);
    expect(below(await placesOf('regex', '[A-Za-z]{5,9}'))).toEqual(expected);
    expect(await placesOf('regex', 'N\\w+ \\x26')).toEqual([AT_BORDER + WORDS.indexOf('Needle')]);
  });

  it('cuts a long match, and goes on after it', async () => {
    const { hits } = await searchMemory(bufferSource(file), patternOf('regex', 'a{1000,}'), { maxHits: 100 });
    expect(hits.map(({ at, length }) => [at - RUN.at, length])).toEqual(
      [0, 1, 2, 3, 4].map((n) => [n * 64 * KIB, Math.min(64, 300 - n * 64) * KIB]),
    );
  });

  it('gives what stands around a match, also over the border of a piece', async () => {
    const { hits } = await searchMemory(bufferSource(file), patternOf('text', 'Needle'), { maxHits: 10, context: 100 });
    const at = AT_BORDER + WORDS.indexOf('Needle');
    expect(hits).toHaveLength(1);
    expect(hits[0]).toMatchObject({ at, from: at - 100, length: 6 });
    expect(Buffer.from(hits[0].bytes)).toEqual(image.subarray(at - 100, at + 106));
  });

  it('stays within a range, and within the number of matches', async () => {
    const at = AT_BORDER + WORDS.indexOf('Needle');
    expect(await placesOf('text', 'Needle', { range: { start: at, end: at + 6 } })).toEqual([at]);
    expect(await placesOf('text', 'Needle', { range: { start: at, end: at + 5 } })).toEqual([]);
    const few = await searchMemory(bufferSource(file), patternOf('hex', '6161'), { maxHits: 3 });
    expect([few.hits.length, few.complete]).toEqual([3, false]);
    const all = await searchMemory(bufferSource(file), patternOf('text', 'Needle'), { maxHits: 1 });
    expect([all.hits.length, all.complete]).toEqual([1, true]);
  });

  it('passes over zeros of any size that a file claims, unless they match', async () => {
    const far = 600 * GIB;
    const page = Buffer.alloc(PAGE_SIZE);
    page.write('Needle');
    const claimed = bufferSource(
      await stateWith({ ramSize: 1024 * GIB }, (pass) => pass.putPage(PageKind.RAM_RAW, far / PAGE_SIZE, 0, 0, page)),
    );
    const found = async (pattern: ReturnType<typeof patternOf>) => {
      const { hits, complete } = await searchMemory(claimed, pattern, { maxHits: 2 });
      return { at: hits.map(({ at }) => at), complete };
    };
    expect(await found(patternOf('text', 'Needle'))).toEqual({ at: [far], complete: true });
    // It starts in zeros that were never written, and ends in what was.
    expect(await found(patternOf('hex', `${'00'.repeat(9)} 4e`))).toEqual({ at: [far - 9], complete: true });
    expect(await found(patternOf('regex', '\\0{4}Needle\\0'))).toEqual({ at: [far - 4], complete: true });
    expect(await found(patternOf('text', 'nothing'))).toEqual({ at: [], complete: true });
    expect(await found(patternOf('hex', '0000'))).toEqual({ at: [0, 1], complete: false });
  });

  it('refuses what is no pattern', () => {
    expect(() => patternOf('hex', '4g')).toThrow(/pairs of hexadecimal digits/);
    expect(() => patternOf('regex', '(')).toThrow(/regular expression/);
    expect(() => patternOf('text', '')).toThrow(/nothing/);
  });
});

it.each([
  { maxHits: Number.NaN },
  { maxHits: Number.POSITIVE_INFINITY },
  { maxHits: 5, context: -1 },
  { maxHits: 5, context: 2 ** 40 },
])('refuses limits that are none: %o', async (options) => {
  const search = searchMemory(bufferSource(file), patternOf('hex', '00'), options);
  await expect(search).rejects.toMatchObject({ code: 'bad-count' });
});
