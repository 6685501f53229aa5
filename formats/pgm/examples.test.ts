import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { buildLivePgm, buildPgm } from '../testing/pgm-builder.ts';
import { fullExample, LIVE_EXAMPLE, LIVE_PASSES, PA, PB, PR, SMALLEST } from '../testing/pgm-examples.ts';

// Compares the tests' own builder of payloads with the worked examples, before it is used to test the reader.

interface Fact {
  length: number;
  sha256: string;
}
const load = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../test-vectors/pgm/${name}`, import.meta.url), 'utf8'));
const { examples, pages, narrow } = load('examples.json') as {
  examples: { version: number; smallest: Fact; full: Fact }[];
  pages: { values: Record<string, string> };
  narrow: { length: number; separatorAt: number };
};
const { passes } = load('live.json') as { passes: (Fact & { pass: number | 'final' })[] };

const factsOf = (payload: Uint8Array): Fact => ({
  length: payload.length,
  sha256: createHash('sha256').update(payload).digest('hex'),
});

describe('the payload builder', () => {
  it('has the page contents of the worked examples', () => {
    const found = Object.fromEntries(
      Object.entries({ PA, PB, PR }).map(([name, page]) => [name, crc32(page).toString(16)]),
    );
    expect(found).toEqual(pages.values);
  });

  it.each(examples)(
    'builds the smallest payload of version $version as the worked example has it',
    ({ version, smallest }) => {
      expect(factsOf(buildPgm(SMALLEST, version))).toEqual(smallest);
    },
  );

  it.each(examples)('builds the full payload of version $version as the worked example has it', ({ version, full }) => {
    expect(factsOf(buildPgm(fullExample(version), version))).toEqual(full);
  });

  it('builds version 6 with guest pointers of 4 bytes as the worked example has it', () => {
    const payload = buildPgm(SMALLEST, 6, 4);
    expect(payload.length).toBe(narrow.length);
    expect(Buffer.from(payload).readUInt32LE(narrow.separatorAt)).toBe(0xffffffff);
  });

  it('builds the passes of a live save as the worked example has them', () => {
    const built = buildLivePgm(LIVE_EXAMPLE, 14, LIVE_PASSES).map(factsOf);
    expect(built).toEqual(passes.map(({ length, sha256 }) => ({ length, sha256 })));
  });
});
