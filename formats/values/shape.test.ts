import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  anything,
  bytes,
  checkShape,
  count,
  flag,
  hexText,
  integer,
  list,
  mapOf,
  number,
  object,
  oneOf,
  optional,
  orElse,
  orNull,
  record,
  type Shape,
  such,
  text,
  withDefault,
} from './shape.ts';

const machine = record({
  name: text(8),
  cpus: integer(1, 64),
  disks: list(record({ bytes: count, file: optional(text(99)) }), 2),
  counters: mapOf(number),
  state: oneOf('running', 'paused'),
});
const good = { name: 'vm', cpus: 2, disks: [{ bytes: 0, file: undefined }], counters: { a: 1.5 }, state: 'running' };

function refusal(value: unknown, shape: Shape<unknown>): string {
  try {
    checkShape(value, shape, (why, field) => new RangeError(`${field}: ${why}`));
    return '';
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
    return (error as Error).message;
  }
}

describe('a shape', () => {
  it('gives what it knows of a value and leaves out the rest', () => {
    const given = { ...good, more: 1, disks: [{ bytes: 0, file: null, more: {} }] };
    expect(checkShape(given, machine, Error)).toStrictEqual(good);
  });

  it.each([
    [7, ': it is not an object'],
    [{ ...good, name: 'much too long' }, 'name: name is not text of at most 8 characters'],
    [{ ...good, cpus: 0 }, 'cpus: cpus is not a whole number from 1 to 64'],
    [{ ...good, disks: [{ bytes: 1 }, { bytes: -1 }] }, 'disks[1].bytes: disks[1].bytes is not a whole number from 0'],
    [{ ...good, disks: [1] }, 'disks[0]: disks[0] is not an object'],
    [{ ...good, disks: [{}, {}, {}] }, 'disks: disks is not a list of at most 2'],
    [{ ...good, counters: { a: '1' } }, 'counters.a: counters.a is not a number'],
    [{ ...good, state: 'constructor' }, 'state: state is not one of running, paused'],
  ])('tells of %j where it goes wrong, and why', (value, message) => {
    expect(refusal(value, machine)).toBe(message);
  });

  it('can put a default in place of a wrong value', () => {
    const figures = orElse(mapOf(orElse(number, 0)), {});
    expect(figures({ a: 1, b: 'two' })).toEqual({ a: 1, b: 0 });
    expect(figures(7)).toEqual({});
  });

  it('takes no inherited field for one that was sent', () => {
    expect(refusal(Object.create({ a: true }), record({ a: flag }))).toContain('a is not true or false');
    expect(refusal(JSON.parse('{"__proto__":{"a":true}}'), record({ a: flag }))).toContain('a is not true or false');
  });

  it('of a number refuses NaN and Infinity, of a count fractions and negative numbers', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, '1', null, 1n, [1]])
      expect(refusal(value, number)).toContain('a number');
    for (const value of [0.5, -1, 2 ** 53]) expect(refusal(value, count)).toContain('a whole number');
  });

  it('tells null, nothing and a default apart', () => {
    expect([optional(flag)(null), optional(flag)(undefined)]).toEqual([undefined, undefined]);
    expect(orNull(flag)(null)).toBe(null);
    expect(refusal(undefined, orNull(flag))).not.toBe('');
    expect(withDefault(flag, true)(undefined)).toBe(true);
    expect(refusal(null, withDefault(flag, true))).not.toBe('');
  });

  it('lets errors of other kinds through', () => {
    const broken = record({ a: such(anything, () => JSON.parse('{'), '') });
    expect(() => checkShape({}, broken, Error)).toThrow(SyntaxError);
  });

  it('ends any JSON in a value or in the error of its caller', () => {
    const shapes: Shape<unknown>[] = [machine, list(hexText(2), 3), object, bytes(4), mapOf(mapOf(flag))];
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(...shapes), (value, shape) => {
        refusal(value, shape);
      }),
      { numRuns: 300 },
    );
  });
});
