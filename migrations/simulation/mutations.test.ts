import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GUEST_MUTATIONS } from './guests/guest-mutations.ts';
import { MUTATIONS } from './mutations.ts';
import { SAVE_MUTATIONS } from './saves/save-mutations.ts';
import { TELEPORT_MUTATIONS } from './teleports/teleport-mutations.ts';

describe('mutations', () => {
  it('change code that is there, once', () => {
    const folder = new URL('../../dist/migrations/', import.meta.url);
    const all = [...MUTATIONS, ...SAVE_MUTATIONS, ...TELEPORT_MUTATIONS, ...GUEST_MUTATIONS];
    const places = all.map(({ name, file, from }) => ({
      name,
      places: readFileSync(new URL(file, folder), 'utf8').split(from).length - 1,
    }));
    expect(places.filter((mutation) => mutation.places !== 1)).toEqual([]);
  });
});
