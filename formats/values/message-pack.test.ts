import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { checkMessagePack, packMessage, unpackMessage } from './message-pack.ts';

const LIMITS = { values: 1000, depth: 4 };
const packr = new Packr({ useRecords: false });

describe('checkMessagePack()', () => {
  it('takes the packed form of any plain values', () => {
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        fc.double(),
        fc.string({ maxLength: 300 }),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array(),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('value'), { maxLength: 20 }),
      map: fc.dictionary(fc.string(), tie('value'), { maxKeys: 20 }),
    })).value;
    fc.assert(fc.property(value, (plain) => checkMessagePack(packr.pack(plain), { values: 1e6, depth: 8 })));
  });

  it('refuses any bytes with one and the same code, be it by the check or by the library', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          unpackMessage(bytes, LIMITS);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-message' });
        }
      }),
      { numRuns: 2000, examples: [[Uint8Array.of(0x81, 0x91, 0, 0)]] },
    );
  });

  it.each([
    ['lists inside of each other', new Uint8Array(100_000).fill(0x91), 'nested deeper than 4'],
    ['a list of 4 Gi items', Uint8Array.of(0xdd, 255, 255, 255, 255), 'ends too soon'],
    ['a map of 4 Gi keys', Uint8Array.of(0xdf, 255, 255, 255, 255), 'ends too soon'],
    ['a text of 4 GiB', Uint8Array.of(0xdb, 255, 255, 255, 255, 65), 'ends too soon'],
    [
      'more values than allowed',
      Uint8Array.of(0xdc, 4, 0, ...new Uint8Array(1024).fill(0x80)),
      'more than 1000 values',
    ],
    ['an extension', Uint8Array.of(0xd4, 0x72, 0), 'kind 0xd4'],
    ['a marker that means nothing', Uint8Array.of(0xc1), 'kind 0xc1'],
    ['a length that is cut', Uint8Array.of(0xc6, 0, 0), 'ends too soon'],
    ['nothing', new Uint8Array(0), 'ends too soon'],
    ['two values', Uint8Array.of(1, 2), '1 bytes follow'],
  ])('refuses %s', (_, bytes, why) => {
    expect(() => checkMessagePack(bytes, LIMITS)).toThrow(why);
  });
});

describe('packMessage()', () => {
  it('leaves out fields that are undefined, as other readers know no such value', () => {
    const bytes = packMessage({ a: 1, b: undefined, c: { d: undefined, e: new Uint8Array([1, 2]) } });
    expect(Buffer.from(bytes).toString('hex')).toBe('82a16101a16381a165c4020102');
    expect(unpackMessage(bytes, { values: 100, depth: 4 })).toEqual({ a: 1, c: { e: Buffer.of(1, 2) } });
  });
});
