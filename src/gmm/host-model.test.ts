import { expect, test } from 'vitest';
import { playHost } from './testing/play-host.ts';

/** Thousands more: npm run campaign -- memory. */
test.each(Array.from({ length: 12 }, (_, seed) => seed))(
  'HostMemory does what a map of pages does, seed %i',
  (seed) => {
    expect(() => playHost(seed, 200)).not.toThrow();
  },
);
