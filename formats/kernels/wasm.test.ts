import { describe, expect, it } from 'vitest';
import { kernels, loadKernels } from './wasm.ts';

describe('loadKernels()', () => {
  it('leaves the work to the plain twins on a big-endian host', () => {
    expect(loadKernels('BE')).toBeUndefined();
    expect(loadKernels('LE') === undefined).toBe(kernels === undefined);
  });
});
