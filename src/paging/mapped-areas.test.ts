import { expect, test } from 'vitest';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { AddressSpace } from './address-space.ts';
import { overviewOf, PAGE_USES } from './mapped-areas.ts';
import { mappingsOf } from './mappings-of.ts';
import { FlatMemory } from './testing/flat-memory.ts';
import { randomSpace, type TableKind, writeEntry } from './testing/random-tables.ts';

test.each(['32-bit', 'pae', 'long', 'la57'] as TableKind[])(
  'areas and uses of random %s tables are those of the list of all mappings',
  async (kind) => {
    for (let seed = 1; seed <= 6; seed++) {
      const { space } = randomSpace(seed, kind);
      const end = 2 ** 24;
      const { runs, complete } = await mappingsOf(space, { maxTables: 300 });
      const seen = await overviewOf(space, { maxTables: 300, gap: 1, end, stretch: PAGE_SIZE });
      if (!complete || !seen.complete) continue;
      const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0);
      const { areas, physical } = seen;
      for (const right of ['user', 'writable', 'executable'] as const)
        expect(sum(areas.map((area) => area[right]))).toBe(sum(runs.map((run) => (run[right] ? run.size : 0))));
      expect(areas.map(({ mapped }) => BigInt(mapped))).toEqual(areas.map((area) => area.end - area.start));
      for (let i = 0; i < areas.length - 1; i++)
        expect(areas[i].end < areas[i + 1].start || areas[i].end === 1n << 47n);
      const wanted = new Uint8Array(end / PAGE_SIZE);
      for (const { gcPhys, size, user, executable } of runs) {
        const use = PAGE_USES.indexOf(`${user ? 'user' : 'system'} ${executable ? 'code' : 'data'}`);
        for (let at = gcPhys; at < Math.min(end, gcPhys + size); at += PAGE_SIZE)
          wanted[at / PAGE_SIZE] = Math.max(wanted[at / PAGE_SIZE], use);
      }
      expect(physical.uses).toEqual(wanted);
    }
  },
);

test('gaps below the limit are inside of an area, and count as no memory', async () => {
  const memory = new FlatMemory(new Uint8Array(0x4000));
  writeEntry(memory, 0x1000, 4, 0x2007n);
  for (const page of [0, 1, 5, 500]) writeEntry(memory, 0x2000 + 4 * page, 4, 0x3003n);
  const space = new AddressSpace(memory, { cr0: 0x80000001n, cr3: 0x1000n, cr4: 0n, efer: 0n });
  const { areas, physical } = await overviewOf(space, { gap: 16 * PAGE_SIZE, end: 0x4000, stretch: PAGE_SIZE });
  expect(areas).toEqual([
    { start: 0n, end: 0x6000n, mapped: 0x3000, user: 0, writable: 0x3000, executable: 0x3000 },
    { start: 0x1f4000n, end: 0x1f5000n, mapped: 0x1000, user: 0, writable: 0x1000, executable: 0x1000 },
  ]);
  expect([...physical.uses]).toEqual([0, 0, 0, PAGE_USES.indexOf('system code')]);
});
