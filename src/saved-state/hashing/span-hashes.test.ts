import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpanHashes } from './span-hashes.ts';

const page = fc.integer({ min: 0, max: 20_000 });
const hash = fc.oneof(
  fc.constant(0n),
  fc.constantFrom(1n, 2n, 1n << 32n),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);
const writes = fc.array(fc.tuple(page, hash), { maxLength: 60 });

function filled(pairs: readonly [number, bigint][], like?: SpanHashes): SpanHashes {
  const hashes = new SpanHashes(like);
  for (const [page, hash] of pairs) hashes.set(page, hash);
  return hashes;
}

const contents = (hashes: SpanHashes) =>
  [...hashes.runs()].flatMap(({ page, hashes }) => [...hashes].map((hash, i) => [page + i, hash]));

describe('PageHashes', () => {
  it('holds the hashes that were set last, whichever hashes it expects', () => {
    fc.assert(
      fc.property(writes, writes, fc.boolean(), (before, others, startsAlike) => {
        const like = filled(before);
        const pairs = startsAlike ? [...before, ...others] : others;
        const naive = new Map(pairs);
        const hashes = filled(pairs, like);
        const expected = [...naive].filter(([, hash]) => hash !== 0n).sort(([a], [b]) => a - b);
        expect(contents(hashes)).toEqual(expected);
        for (const [page] of pairs) expect(hashes.get(page)).toBe(naive.get(page));
        expect([...like.differences(hashes)]).toEqual([...like.differences(filled(pairs))]);
        expect([...hashes.differences(like)]).toEqual([...filled(pairs).differences(like)]);
      }),
    );
  });
});
