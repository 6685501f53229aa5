import { expect, test } from 'vitest';
import { playMachines } from './testing/play-machines.ts';

/** Thousands more: npm run campaign -- host. */
test.each(Array.from({ length: 4 }, (_, seed) => seed))(
  'several machines on one host have the bytes of flat arrays, seed %i',
  (seed) => {
    expect(() => playMachines(seed, 120)).not.toThrow();
  },
);
