import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Coverage, tellFewComparisons } from './coverage.ts';

const told: unknown[] = [];
const counters: Uint8Array[] = [];

beforeEach(() => {
  told.length = counters.length = 0;
  const tell = (one: number, other: number, operator: string) => {
    told.push([one, operator, other]);
    return operator === '<' ? one < other : one === other;
  };
  const createModuleCounters = (size: number) => {
    counters.push(Buffer.alloc(size));
    return counters[counters.length - 1];
  };
  const made: Fuzzer = {
    coverageTracker: { createModuleCounters },
    tracer: { traceNumberCmp: tell, traceStrCmp: tell },
  };
  Object.assign(globalThis, { Fuzzer: made });
});

afterEach(() => {
  Reflect.deleteProperty(globalThis, 'Fuzzer');
});

type Compare = (one: number, other: number, operator: string, place: number) => boolean;
interface Fuzzer {
  coverageTracker: { createModuleCounters: (size: number) => Uint8Array };
  tracer: { traceNumberCmp: Compare; traceStrCmp: Compare };
}

const fuzzer = () => (globalThis as unknown as { Fuzzer: Fuzzer }).Fuzzer;

describe('coverage', () => {
  it('grows where an input passes a place that none has passed', () => {
    const coverage = new Coverage();
    const [first, second] = [6, 1].map((places) => fuzzer().coverageTracker.createModuleCounters(places));
    expect(coverage.hasGrown()).toBe(false);
    const places: [Uint8Array, number][] = [0, 3, 5].map((place) => [first, place]);
    for (const [module, place] of [...places, [second, 0] as const]) {
      module[place] = 200;
      expect(coverage.hasGrown()).toBe(true);
      module[place] = 3;
      expect(coverage.hasGrown()).toBe(false);
    }
  });
});

describe('comparisons', () => {
  it('give the same, whether the fuzzer is told of them or not', () => {
    const beginInput = tellFewComparisons();
    const compare = (one: number, operator: string) => fuzzer().tracer.traceNumberCmp(one, 5, operator, 7);
    const results = [4, 5, 6, 4, 5, 6, 4, 5, 6].map((value) => [compare(value, '<'), compare(value, '===')]);
    expect(results.slice(3)).toEqual([...results.slice(0, 3), ...results.slice(0, 3)]);
    expect(results.slice(0, 3)).toEqual([
      [true, false],
      [false, true],
      [false, false],
    ]);
    expect(told).toHaveLength(4);
    beginInput();
    compare(4, '<');
    expect(told).toHaveLength(5);
  });
});
