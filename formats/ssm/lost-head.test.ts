import { describe, expect, it } from 'vitest';
import { FormatError, NotAStateError } from '../errors.ts';
import { bufferSource } from '../files/source.ts';
import { buildV1, buildV2, randomPage } from '../testing/container-builder.ts';
import { openContainer } from './open.ts';

const LOST = 4096;
/** No other unit begins near the start. */
const units = [{ name: 'pgm', payload: Buffer.concat(Array.from({ length: 32 }, randomPage)) }];

describe('a file without the head of a state', () => {
  it.each([
    ['V1.1', buildV1('1.1', units, 2)],
    ['V1.2', buildV1('1.2', units, 2)],
    ['V2.0', buildV2(units)],
  ])('is damaged where its first 4 KiB are lost, and its end is that of a state: %s', async (_, state) => {
    for (const damaged of [
      Buffer.concat([Buffer.alloc(LOST), state.subarray(LOST)]),
      Buffer.concat([Buffer.alloc(LOST, 0xa5), state.subarray(LOST)]),
      state.subarray(LOST),
    ]) {
      const error = await openContainer(bufferSource(damaged)).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(FormatError);
      expect(error).toMatchObject({ code: 'bad-magic' });
    }
  });

  it('is called empty where it is, also where a state was read before it', async () => {
    const container = await openContainer(bufferSource(buildV2(units)));
    container.release();
    const error = await openContainer(bufferSource(Buffer.alloc(0))).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: 'nothing-left' });
  });

  it.each([0, 1, 27, 28, 31, 32])('may be anything where nothing else is left, here %i bytes', async (length) => {
    const error = await openContainer(bufferSource(Buffer.alloc(length, 0x99))).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(length === 0 ? FormatError : NotAStateError);
  });
});
