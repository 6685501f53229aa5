import { describe, expect, test } from 'vitest';
import { Random } from '../testing/random-tables.ts';
import { BackTracking } from './back-tracking.ts';

describe('BackTracking', () => {
  test.each([0, 1, 5, 1000])(
    'with %i extents lists exactly the tables that map a page, or says that it has overflowed',
    (extents) => {
      const random = new Random(extents + 1);
      const tracking = new BackTracking(extents);
      const naive = new Map<number, number[]>();
      let overflows = 0;
      for (let i = 0; i < 4000; i++) {
        const frame = random.below(12);
        const tables = naive.get(frame) ?? [];
        if (random.chance(55)) {
          const table = 5 + random.below(9);
          tracking.add(frame, table);
          tables.push(table);
        } else if (tables.length > 0) {
          const [table] = tables.splice(random.below(tables.length), 1);
          tracking.remove(frame, table);
        }
        naive.set(frame, tables);
        const listed = tracking.tablesOf(frame);
        expect(tracking.isTracked(frame)).toBe(listed.length > 0);
        if (listed === 'overflowed') {
          overflows++;
          // As the pool does: it looks through all tables, and afterwards none of them maps the page.
          if (random.chance(30)) {
            tracking.forget(frame);
            naive.set(frame, []);
          }
        } else expect([...listed].sort()).toEqual([...tables].sort());
      }
      expect(overflows > 0).toBe(extents < 1000);
    },
  );

  test('gives extents back: lists that come and go never overflow', () => {
    const tracking = new BackTracking(2);
    for (let round = 0; round < 100; round++) {
      for (let table = 5; table < 11; table++) tracking.add(7, table);
      expect(tracking.tablesOf(7)).toEqual([5, 6, 7, 8, 9, 10]);
      for (let table = 5; table < 11; table++) tracking.remove(7, table);
      expect(tracking.tablesOf(7)).toEqual([]);
    }
  });
});
