import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { bufferSource, streamSource } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { verify } from './verify.ts';
import { zeroTail } from './zero-tail.ts';

const state = readFileSync(`${STATES_FOLDER}own-long.sav`);

describe('zeroTail()', () => {
  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB])(
    'finds where zeros begin: %i bytes from the start of a file',
    async (start) => {
      const bytes = new Uint8Array(5 * MIB + 7);
      bytes.fill(1, 0, start);
      expect(await zeroTail(bufferSource(bytes))).toBe(start);
    },
  );

  it('does not speak of few', async () => {
    for (const length of [0, 1, 4096])
      expect(
        await zeroTail(bufferSource(Buffer.concat([Buffer.alloc(10_000, 1), Buffer.alloc(length)]))),
      ).toBeUndefined();
  });

  it('can be interrupted, however large a file is', async () => {
    const endless = {
      ...bufferSource(new Uint8Array(0)),
      size: 2 ** 50,
      read: async (target: Uint8Array) => target.fill(0).length,
    };
    await expect(zeroTail(endless, AbortSignal.timeout(20))).rejects.toMatchObject({ code: 'interrupted' });
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

  it('says nothing of the kind of other states', async () => {
    const cut = bufferSource(state.subarray(0, 150_000));
    const stream = streamSource(Readable.from([Buffer.concat([state.subarray(0, 150_000), Buffer.alloc(50_000)])]));
    for (const source of [bufferSource(state), cut, stream])
      expect((await verify(source)).findings.map(({ code }) => code)).not.toContain('zeros-to-end');
  });
});
