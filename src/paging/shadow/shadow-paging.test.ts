import { describe, expect, test } from 'vitest';
import { ShadowModel } from '../testing/shadow-model.ts';
import { SHADOWED_HOSTS } from '../testing/shadowed-hosts.ts';

describe.each(SHADOWED_HOSTS)('%s: random tables, writes, accesses, mode changes, handlers, page states', (_, host) => {
  test('shadow tables and walks agree; faults, data, accessed and dirty bits are the processor’s', () => {
    let mapped = 0;
    let compared = 0;
    let watched = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const { done, watches } = new ShadowModel(seed, { host, cpus: 1 + (seed % 2) }).run(150);
      watched += watches.seen;
      mapped += done.mapped;
      compared += done.compared;
    }
    expect(mapped).toBeGreaterThan(30);
    expect(compared).toBeGreaterThan(30);
    if (!host.nestedPaging) expect(watched).toBeGreaterThan(0);
  });

  test('shadow tables and walks agree with a pool that is too small and lists that overflow', () => {
    let given = 0;
    for (let seed = 101; seed <= 104; seed++) {
      const { paging } = new ShadowModel(seed, { host, cpus: 1, poolPages: 16, extents: 2 }).run(250);
      given += paging.pool.counts.evictions + paging.pool.counts.reuses;
    }
    if (!host.nestedPaging) expect(given).toBeGreaterThan(0);
  });
});
