import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { hashedSource } from './hashed-source.ts';
import { bufferSource, withBeside } from './source.ts';

const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const expected = createHash('sha256').update(bytes).digest('hex');

it.each<[string, [length: number, position: number][]]>([
  ['nothing', []],
  ['all of it', [[100_000, 0]]],
  [
    'the end first, as readers of directories do',
    [
      [32, 99_968],
      [50_000, 0],
    ],
  ],
  [
    'some bytes twice',
    [
      [50_000, 0],
      [50_000, 20_000],
      [10, 0],
    ],
  ],
  [
    'with a gap',
    [
      [1000, 0],
      [1000, 5000],
      [5000, 900],
    ],
  ],
])('hashes every byte once where others have read %s', async (_, reads) => {
  const source = hashedSource(bufferSource(bytes));
  for (const [length, position] of reads) await source.read(new Uint8Array(length), position);
  expect(await source.sha256()).toBe(expected);
});

it('keeps the part that is meant, and the RAM beside the bytes', async () => {
  const ram = [{ source: bufferSource(new Uint8Array(1), 'ram') }];
  const source = withBeside(bufferSource(bytes), { part: 'snap', ram });
  expect(hashedSource(source)).toMatchObject({ part: 'snap', ram, size: bytes.length, fd: undefined });
  expect(withBeside(source, { part: 'other' })).toMatchObject({ part: 'other' });
});
