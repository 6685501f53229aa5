import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ReadableParts } from '../../../formats/files/readable-parts.ts';
import { failingDisk } from '../../../formats/testing/failing-disk.ts';
import { Random } from '../../../formats/testing/random.ts';
import { oldState } from '../../testing/old-states.ts';
import { judgeSalvage, originalOf } from '../../testing/salvage-judge.ts';
import { STATES_FOLDER } from '../../testing/states.ts';

describe('a failing disk', () => {
  it('gives all bytes but those of its bad blocks, and is asked for each of these once', async () => {
    const random = new Random(5);
    const bytes = Buffer.from(Array.from({ length: 300_000 }, () => random.below(256)));
    const lost = [0, 9, 10, 11, 40, 42, 73].map((block) => ({ start: block * 4096, end: (block + 1) * 4096 }));
    const { source, fails } = failingDisk(bytes, lost);
    const parts = new ReadableParts(source);
    const expected = (fill: number) => {
      const copy = Buffer.from(bytes);
      for (const { start, end } of lost) copy.fill(fill, start, Math.min(end, copy.length));
      return copy;
    };
    for (const fill of [0, 0xff]) {
      const target = Buffer.alloc(bytes.length);
      for (let at = 0; at < target.length; ) {
        const size = 1 + random.below(20_000);
        at += await parts.filledWith(fill).read(target.subarray(at, at + size), at);
      }
      expect(target.equals(expected(fill))).toBe(true);
      const all = Buffer.alloc(bytes.length + 5);
      expect(await parts.filledWith(fill).read(all, 0)).toBe(bytes.length);
      expect(all.subarray(0, bytes.length).equals(expected(fill))).toBe(true);
    }
    const before = fails();
    await parts.filledWith(1).read(Buffer.alloc(bytes.length), 0);
    expect(fails()).toBe(before);
    const found = [0, 9, 40, 42, 73].map((block) => block * 4096);
    expect(parts.unreadable.map(({ start }) => start)).toEqual(found);
    expect(parts.unreadable.at(-1)?.end).toBe(bytes.length);
  });

  it.each([
    ['V2.0', [3, 28, 53]],
    ['V1.2', [37, 73]],
  ])('takes from a state, %s, what it does not give, and nothing else becomes wrong', async (form, blocks) => {
    const plain = readFileSync(join(STATES_FOLDER, 'own-prot32.sav'));
    const old = form === 'V1.2' ? await oldState(plain, '1.2', 7) : undefined;
    const original = old?.original ?? originalOf(plain);
    for (const first of blocks) {
      const lost = { start: first * 4096, end: (first + 1) * 4096 };
      const { source } = failingDisk(original.bytes, [lost]);
      const { report, faults, wrong } = await judgeSalvage(original, source, old && { layout: old.layout });
      expect([first, faults, wrong]).toEqual([first, [], []]);
      const end = Math.min(lost.end, original.bytes.length);
      expect(report).toMatchObject({ unreadable: [{ ...lost, end }], complete: false, unproven: false });
    }
  });
});
