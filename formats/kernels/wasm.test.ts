import { afterEach, describe, expect, it, vi } from 'vitest';
import { kernels, loadKernels } from './wasm.ts';

afterEach(() => vi.unstubAllGlobals());

describe('loadKernels()', () => {
  it('leaves the work to the plain twins on a big-endian host', () => {
    expect(loadKernels('BE')).toBeUndefined();
    expect(loadKernels('LE') === undefined).toBe(kernels === undefined);
  });

  it.skipIf(kernels === undefined)('leaves the work to the plain twins where WebAssembly gets no memory, too', () => {
    const Instance = vi.fn(function Instance() {
      throw new RangeError('Out of memory: Cannot allocate Wasm memory for new instance');
    });
    vi.stubGlobal('WebAssembly', { Module: class {}, Instance });
    expect(loadKernels()).toBeUndefined();
    expect(Instance).toHaveBeenCalledOnce();
  });
});
