import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { bufferSource, streamSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { verify } from './verify.ts';
import { zeroStretches } from './zero-stretches.ts';

const state = readFileSync(`${STATES_FOLDER}own-long.sav`);

/** Bytes that are not zero, except from `start` to `end`. */
function file(size: number, ...zeros: [start: number, end: number][]): Uint8Array {
  const bytes = new Uint8Array(size).fill(1);
  for (const [start, end] of zeros) bytes.fill(0, start, end);
  return bytes;
}

describe('zeroStretches()', () => {
  const size = 5 * MIB + 7;

  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, size - 8192])(
    'finds zeros that begin %i bytes from the start of a file and go to its end',
    async (start) => {
      expect(await zeroStretches(bufferSource(file(size, [start, size])))).toEqual({
        stretches: [{ start, end: size }],
        further: 0,
      });
    },
  );

  it.each([
    [0, 4096],
    [1, 8192],
    [4000, 8200],
    [MIB - 4096, MIB + 1],
    [MIB - 1, 3 * MIB + 5],
  ])('finds zeros inside, from %i to %i, with those beside the blocks', async (start, end) => {
    expect((await zeroStretches(bufferSource(file(size, [start, end])))).stretches).toEqual([{ start, end }]);
  });

  it('does not speak of less than a block', async () => {
    for (const zeros of [[], [[1, 4097]], [[4095, 8191]], [[size - 7, size]]] as [number, number][][])
      expect((await zeroStretches(bufferSource(file(size, ...zeros)))).stretches).toEqual([]);
  });

  it('lists eight, and counts the others', async () => {
    const zeros = Array.from({ length: 11 }, (_, i): [number, number] => [i * 16384, i * 16384 + 4096]);
    const { stretches, further } = await zeroStretches(bufferSource(file(MIB, ...zeros)));
    expect(stretches).toEqual(zeros.slice(0, 8).map(([start, end]) => ({ start, end })));
    expect(further).toBe(3);
  });

  it('can be interrupted, however large a file is', async () => {
    const endless = {
      ...bufferSource(new Uint8Array(0)),
      size: 2 ** 50,
      read: async (target: Uint8Array) => target.fill(0).length,
    };
    await expect(zeroStretches(endless, AbortSignal.timeout(20))).rejects.toMatchObject({ code: 'interrupted' });
  });
});

describe('verify()', () => {
  it('tells of a state whose end was never written', async () => {
    const bytes = Buffer.from(state);
    bytes.fill(0, 150_000);
    const start = bytes.findLastIndex((byte) => byte !== 0) + 1;
    const { verdict, findings } = await verify(bufferSource(bytes));
    expect(verdict).toBe('damaged');
    expect(findings).toContainEqual(expect.objectContaining({ code: 'zeros-to-end', place: { offset: start } }));
  });

  it('tells of blocks inside a state that were never written', async () => {
    const bytes = Buffer.from(state);
    bytes.fill(0, 40_960, 45_056);
    const { verdict, findings } = await verify(bufferSource(bytes));
    expect(verdict).toBe('damaged');
    const [zeros, ...others] = findings.filter(({ code }) => code.startsWith('zeros-'));
    expect(others).toEqual([]);
    expect(zeros.code).toBe('zeros-inside');
    expect(zeros.place?.offset).toBeLessThanOrEqual(40_960);
  });

  it('says nothing of the kind of other states', async () => {
    const cut = bufferSource(state.subarray(0, 150_000));
    const stream = streamSource(Readable.from([Buffer.concat([state.subarray(0, 150_000), Buffer.alloc(50_000)])]));
    for (const source of [bufferSource(state), cut, stream])
      expect((await verify(source)).findings.filter(({ code }) => code.startsWith('zeros-'))).toEqual([]);
  });
});
