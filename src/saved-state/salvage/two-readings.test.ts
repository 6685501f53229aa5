import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PageGroup } from './page-survey.ts';
import { TwoReadings } from './two-readings.ts';

interface Note {
  pass: number;
  group: PageGroup;
  page: number;
  hash: bigint;
}

const place = fc.record({
  pass: fc.nat(1),
  group: fc.constantFrom<PageGroup>('RAM', 'MMIO2 1'),
  page: fc.oneof(fc.nat(8), fc.constantFrom(300, 2 ** 20)),
});
/** Fate of a note of the first reading in the second. */
const fate = fc.constantFrom('same', 'same', 'same', 'same', 'other', 'missing', 'late');

/** Two readings of a file, in which a page that comes again has other contents each time. */
const readings = fc.array(fc.tuple(place, fate), { maxLength: 60 }).map((list) => {
  const first: Note[] = [];
  const second: Note[] = [];
  const late: Note[] = [];
  for (const [i, [where, what]] of list.entries()) {
    const note = { ...where, hash: BigInt(i + 1) };
    first.push(note);
    if (what === 'same') second.push(note);
    if (what === 'other') second.push({ ...note, hash: 1000n + note.hash });
    if (what === 'late') late.push(note);
    else second.push(...late.splice(0));
  }
  return [first, [...second, ...late]] as const;
});

const keyOf = ({ pass, group, page }: Note) => `${pass} ${group} ${page}`;

/** The same with all hashes of both. */
function naively(first: readonly Note[], second: readonly Note[]): { seen: Set<string>; certain: Set<string> } {
  const [a, b] = [first, second].map((notes) => new Map(notes.map((note) => [keyOf(note), note.hash])));
  return { seen: new Set(a.keys()), certain: new Set([...a.keys()].filter((key) => a.get(key) === b.get(key))) };
}

describe('TwoReadings', () => {
  it('knows what a naive comparison of all hashes knows, however far one reading is ahead', () => {
    fc.assert(
      fc.property(readings, fc.infiniteStream(fc.boolean()), ([first, second], turns) => {
        const both = new TwoReadings();
        const left = [[...first], [...second]];
        const ended = [false, false];
        const sides = [both.notesOf(0), both.notesOf(1)];
        while (!ended[0] || !ended[1]) {
          const side = turns.next().value ? 1 : 0;
          const note = left[side].shift();
          if (note) sides[side].note(note.pass, note.group, note.page, note.hash);
          else if (!ended[side]) {
            ended[side] = true;
            both.end(side);
          }
        }
        const { seen, certain } = naively(first, second);
        for (const note of [...first, ...second]) {
          const has = (passes: typeof both.seen) => passes[note.pass]?.get(note.group)?.has(note.page) ?? false;
          expect([keyOf(note), has(both.seen), has(both.certain)]).toEqual([
            keyOf(note),
            seen.has(keyOf(note)),
            certain.has(keyOf(note)),
          ]);
        }
        for (const [pass, groups] of both.seen.entries())
          expect([...(both.certain[pass]?.keys() ?? [])]).toEqual([...(groups?.keys() ?? [])]);
      }),
      { numRuns: 300 },
    );
  });

  it('lets the reading wait that is far ahead, until the other one follows or has ended', async () => {
    const both = new TwoReadings();
    const [first, second] = [both.notesOf(0), both.notesOf(1)];
    let page = 0;
    while (!first.room()) first.note(0, 'RAM', page++, 7n);
    let isWoken = false;
    const waiting = first.room()?.then(() => {
      isWoken = true;
    });
    expect(second.room()).toBeUndefined();
    await Promise.resolve();
    expect(isWoken).toBe(false);
    for (let i = 0; i < page - 1; i++) second.note(0, 'RAM', i, 7n);
    await waiting;
    second.note(0, 'RAM', page - 1, 7n);
    expect(both.certain[0].get('RAM')?.size).toBe(page);
    while (!second.room()) second.note(0, 'RAM', page++, 7n);
    const end = second.room();
    both.end(0);
    await end;
    expect(second.room()).toBeUndefined();
    both.end(1);
  });
});
