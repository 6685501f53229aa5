import { describe, expect, it } from 'vitest';
import { MIB } from '../../../formats/sizes.ts';
import { emptyMachine } from '../../running/empty-machine.ts';

describe('addresses that are no whole numbers', () => {
  it.each([Number.NaN, 1.5, Number.POSITIVE_INFINITY, 2 ** 53])('are refused at once: %d', async (gcPhys) => {
    const { memory } = await emptyMachine(4 * MIB);
    const refusal = expect.objectContaining({ vboxCode: 'VERR_INVALID_PARAMETER' });
    for (const bytes of [new Uint8Array(4), new Uint8Array(5000)]) {
      expect(() => memory.write(gcPhys, bytes)).toThrow(refusal);
      expect(() => memory.read(gcPhys, bytes)).toThrow(refusal);
    }
    expect(() => memory.writeU32(gcPhys, 1)).toThrow(refusal);
    memory.close();
  });
});
