import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clock } from '../../../formats/world/waiting.ts';
import { CPU_STATISTICS } from './cpu-statistics.ts';
import { globMatcher } from './glob.ts';
import { MEMORY_STATISTICS } from './memory-statistics.ts';
import { RELEASE_STATISTICS } from './release-statistics.ts';
import { StatTree } from './stat-tree.ts';
import type { Profile, StatisticRow } from './statistic.ts';
import { Timing } from './timing.ts';

const ALL = [...RELEASE_STATISTICS, ...MEMORY_STATISTICS, ...CPU_STATISTICS];

function wholeTree(cpus: number): StatTree {
  const tree = new StatTree(cpus);
  tree.register(ALL);
  return tree;
}

describe('globMatcher()', () => {
  test.each([
    ['', '/PGM/x', true],
    ['*', '/PGM/x', true],
    ['/PGM/Page/*', '/PGM/Page/cAllPages', true],
    ['/PGM/*/c*Pages', '/PGM/LiveSave/Ram/cZeroPages', true],
    ['/PGM/CPU?/*', '/PGM/CPU3/cGuestModeChanges', true],
    ['/PGM/CPU?/*', '/PGM/CPU13/cGuestModeChanges', false],
    ['/MM/*|/PGM/c*', '/PGM/cRelocations', true],
    ['/PGM', '/PGM/x', false],
    ['*ab*ab', 'abab', true],
    ['*ab*ab', 'ab', false],
    ['a*', '', false],
  ])('%j on %j: %s', (pattern, path, expected) => {
    expect(globMatcher(pattern)(path)).toBe(expected);
  });

  test('agrees with regular expressions', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '/') });
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?'), minLength: 1 }),
        text,
        (pattern, path) => {
          const expression = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's');
          expect(globMatcher(pattern)(path)).toBe(expression.test(path));
        },
      ),
    );
  });
});

describe('StatTree', () => {
  test("has VirtualBox's 274 paths with one CPU, and those below /PGM/CPU%u for each further one", () => {
    const one = wholeTree(1).list('/PGM/*').length + ALL.filter(([path]) => path.startsWith('/PGM/LiveSave/')).length;
    expect(one).toBe(274);
    const perCpu = wholeTree(1).list('/PGM/CPU0/*').length;
    expect(wholeTree(3).list('/PGM/CPU*').length).toBe(3 * perCpu);
  });

  test('lists by path, with unit and visibility, live-save entries once they are used', () => {
    const tree = wholeTree(1);
    expect(tree.list('/PGM/LiveSave/*')).toEqual([]);
    tree.bind('/PGM/LiveSave/cSavedPages', () => 7);
    const description = 'pages saved so far';
    expect(tree.list('/PGM/LiveSave/*')).toEqual([
      { path: '/PGM/LiveSave/cSavedPages', kind: 'u64', unit: 'count', visibility: 'used', description, value: 7 },
    ]);
    expect(tree.list('/PGM/R3/Phys/Read*').map(({ path, unit }) => [path, unit])).toEqual([
      ['/PGM/R3/Phys/Read', 'occurrences'],
      ['/PGM/R3/Phys/Read/Bytes', 'bytes'],
    ]);
  });

  test('reset() starts counters and profiles anew, and leaves plain values', () => {
    const tree = wholeTree(1);
    let count = 5;
    const timing = new Timing();
    tree.bind('/PGM/cRelocations', () => count);
    tree.bind('/PGM/Page/cAllPages', () => count);
    tree.bind('/PGM/R3/ResolveConflict', timing);
    timing.add(clock() - 1000);
    tree.reset('/PGM/*');
    count = 8;
    expect(tree.valueOf('/PGM/R3/ResolveConflict')).toEqual({ periods: 0, ticks: 0, min: 0, max: 0 });
    timing.add(clock() - 10);
    expect(tree.valueOf('/PGM/cRelocations')).toBe(3);
    expect(tree.valueOf('/PGM/Page/cAllPages')).toBe(8);
    const { periods, ticks, min, max } = tree.valueOf('/PGM/R3/ResolveConflict') as Profile;
    expect([periods, min, max]).toEqual([1, ticks, ticks]);
    expect(ticks).toBeGreaterThanOrEqual(10e6);
    expect(ticks).toBeLessThan(1000e6);
  });

  test('shows statistics that come and go, and resets them, too', () => {
    const tree = wholeTree(1);
    const row = ['/PGM/VirtHandler/Calls/1-2', 'profile', 'a handler'] as const;
    const passing: [StatisticRow, Timing][] = [];
    tree.follow(() => passing);
    expect(tree.list('/PGM/VirtHandler/*')).toEqual([]);
    passing.push([row, new Timing()]);
    passing[0][1].add(clock());
    expect(tree.list('/PGM/VirtHandler/*')).toMatchObject([
      { path: row[0], unit: 'ticks-per-call', description: 'a handler', value: { periods: 1 } },
    ]);
    tree.reset('*Calls*');
    expect(tree.list('/PGM/VirtHandler/*')).toMatchObject([{ value: { periods: 0 } }]);
  });

  test('refuses a path twice, and one that is not there', () => {
    const tree = wholeTree(1);
    expect(() => tree.register(RELEASE_STATISTICS)).toThrow('is there already');
    expect(() => tree.bind('/PGM/none', () => 1)).toThrow('there is no /PGM/none');
  });
});
