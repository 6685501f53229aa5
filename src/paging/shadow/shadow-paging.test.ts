import { describe, expect, test } from 'vitest';
import type { HostPaging } from '../shadow-mode.ts';
import { type ModelOptions, ShadowModel } from '../testing/shadow-model.ts';

const HOSTS: [string, HostPaging][] = [
  ['AMD64 host, raw', { host: 'AMD64+NX', hardware: false }],
  ['AMD64 host, hardware', { host: 'AMD64+NX', hardware: true }],
  ['PAE host, hardware', { host: 'PAE', hardware: true }],
  ['32-bit host, hardware', { host: '32-bit', hardware: true }],
  ['AMD-V nested paging', { host: 'AMD64', hardware: true, nestedPaging: 'nested' }],
  ['nested paging on a PAE host', { host: 'PAE', hardware: true, nestedPaging: 'nested' }],
  ['nested paging on a 32-bit host', { host: '32-bit', hardware: true, nestedPaging: 'nested' }],
  ['VT-x with EPT', { host: 'AMD64', hardware: true, nestedPaging: 'ept' }],
];

function run(seed: number, options: ModelOptions, steps: number): ShadowModel {
  const model = new ShadowModel(seed, options);
  try {
    for (let i = 0; i < steps; i++) {
      model.step();
      if (i % 20 !== 0) continue;
      model.compareMemory();
      model.checkPool();
    }
    model.compareMemory();
  } catch (error) {
    (error as Error).message = `seed ${seed}: ${(error as Error).message}`;
    throw error;
  }
  return model;
}

describe.each(HOSTS)('%s: random tables, writes, accesses, mode changes, handlers, page states', (_, host) => {
  test('shadow tables and walks agree; faults, data, accessed and dirty bits are the processor’s', () => {
    let mapped = 0;
    let compared = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const { done } = run(seed, { host, cpus: 1 + (seed % 2) }, 150);
      mapped += done.mapped;
      compared += done.compared;
    }
    expect(mapped).toBeGreaterThan(30);
    expect(compared).toBeGreaterThan(30);
  });

  test('so they do with a pool that is too small and lists that overflow', () => {
    let given = 0;
    for (let seed = 101; seed <= 105; seed++) {
      const { paging } = run(seed, { host, cpus: 1, poolPages: 16, extents: 2 }, 250);
      given += paging.pool.counts.evictions + paging.pool.counts.reuses;
    }
    if (!host.nestedPaging) expect(given).toBeGreaterThan(0);
  });
});
