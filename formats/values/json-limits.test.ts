import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkJson } from './json-limits.ts';
import { parseJson } from './json-text.ts';

const LIMITS = { values: 100, depth: 4 };

function valuesIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce((sum: number, item) => sum + valuesIn(item), 1);
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('checkJson()', () => {
  it('counts at least half of the values, whatever stands in texts, and knows the depth', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        const bytes = Buffer.from(JSON.stringify(value));
        const values = valuesIn(value);
        const depth = depthOf(value);
        expect(() => checkJson(bytes, { values: 2 * values, depth })).not.toThrow();
        if (depth > 0)
          expect(() => checkJson(bytes, { values: 2 * values, depth: depth - 1 })).toThrow('nested deeper');
        if (values > 2) expect(() => checkJson(bytes, { values: Math.floor(values / 2), depth })).toThrow('more than');
      }),
    );
  });

  it.each([
    ['lists inside of each other', '['.repeat(1e5), 'nested deeper than 4'],
    ['very many items', `[${'0,'.repeat(1e5)}0]`, 'more than 100 values'],
    ['very many maps', '{},'.repeat(1e5), 'more than 100 values'],
  ])('refuses %s', (_, text, why) => {
    expect(() => checkJson(Buffer.from(text), LIMITS)).toThrow(why);
  });

  it('takes long texts, also ones without an end', () => {
    for (const text of [`"${'[{,'.repeat(1e4)}"`, `"${'\\\\'.repeat(1e4)}`, '"\\'])
      checkJson(Buffer.from(text), LIMITS);
  });
});

describe('parseJson()', () => {
  const refuse = (why: string) => new Error(why);

  it.each([
    ['lists inside of each other', '['.repeat(1e6), 'nested deeper than 200'],
    ['very many lists', `[${'[],'.repeat(4.1e6)}0]`, 'more than 4000000 values'],
  ])('refuses %s before they take memory', (_, text, why) => {
    expect(() => parseJson(text, refuse)).toThrow(why);
  });

  it('takes what a machine tells', () => {
    const told = { rounds: Array.from({ length: 100_000 }, (_, round) => ({ round, pages: 1, bytes: 4096 })) };
    expect(parseJson(JSON.stringify(told), refuse)).toEqual(told);
  });
});
