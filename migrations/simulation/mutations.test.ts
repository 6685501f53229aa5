import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MUTATIONS } from './mutations.ts';

describe('mutations', () => {
  it('change code that is there, once', () => {
    const folder = new URL('../../dist/migrations/', import.meta.url);
    const places = MUTATIONS.map(({ name, file, from }) => ({
      name,
      places: readFileSync(new URL(file, folder), 'utf8').split(from).length - 1,
    }));
    expect(places.filter((mutation) => mutation.places !== 1)).toEqual([]);
  });
});
