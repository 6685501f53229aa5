import { describe, expect, it } from 'vitest';
import { seedsOf, TARGET_NAMES, type TargetName } from './seeds.ts';
import * as targets from './targets.ts';

const TARGETS: Record<TargetName, (bytes: Buffer) => unknown> = { ...targets };

describe('the inputs that a fuzzer begins with, and those that it has found', () => {
  it('is there for each target', () => {
    expect([...TARGET_NAMES].sort()).toEqual(Object.keys(TARGETS).sort());
  });

  it.each(TARGET_NAMES)('is read as it should be: %s', async (name) => {
    const seeds = await seedsOf(name);
    expect(seeds.length).toBeGreaterThan(0);
    for (const seed of seeds) await TARGETS[name](seed);
  });
});
