import { describe, expect, it } from 'vitest';
import { memoryArena } from '../../../formats/files/window.ts';
import { PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { PageSurvey } from './page-survey.ts';

/** Number of pages with content that a block may hold. */
const REACH = 3;

/** A survey of one pass, and the pages that it has called uncertain. */
function survey() {
  const uncertain = new Set<number>();
  const patchWith = 0xff;
  const notes = {
    note: (_pass: number, _group: string, page: number, hash: bigint) => {
      if (hash === BigInt(patchWith) + 1n) uncertain.add(page);
    },
    room: () => undefined,
  };
  const surveyed = new PageSurvey(notes, { patchWith, doubted: new Set(), reach: REACH });
  const meet = (...pages: number[]) => {
    const batch = new PageBatch(memoryArena(new Uint8Array(PAGE_SIZE)));
    for (const page of pages) {
      batch.add(PageKind.RAM_RAW, page, 0, 0);
      batch.setContent(Encoding.RAW, 0, PAGE_SIZE);
    }
    return surveyed.pages(batch, 0);
  };
  return { surveyed, meet, uncertain };
}

describe('pages in doubt where records break', () => {
  it('are those of the last block, where none was bad', () => {
    const { surveyed, meet, uncertain } = survey();
    meet(0, 1, 2, 3, 4, 5);
    surveyed.broken(0);
    expect([[...uncertain], surveyed.doubtedFrom[0]]).toEqual([[3, 4, 5], { group: 'RAM', page: 3 }]);
  });

  it('are all since the first bad block, where that is longer ago', () => {
    const { surveyed, meet, uncertain } = survey();
    meet(0, 1);
    surveyed.badBlock();
    meet(2, 3);
    surveyed.badBlock();
    meet(4, 5, 6, 7);
    surveyed.broken(0);
    expect([[...uncertain].sort(), surveyed.doubtedFrom[0]]).toEqual([[2, 3, 4, 5, 6, 7], { group: 'RAM', page: 2 }]);
  });

  it('are those of the last block all the same, where a block turned out bad just now', () => {
    const { surveyed, meet, uncertain } = survey();
    meet(0, 1, 2, 3, 4);
    surveyed.badBlock();
    meet(5);
    surveyed.broken(0);
    expect([[...uncertain].sort(), surveyed.doubtedFrom[0]]).toEqual([[3, 4, 5], { group: 'RAM', page: 3 }]);
  });

  it('belong to one unit', () => {
    const { surveyed, meet, uncertain } = survey();
    surveyed.badBlock();
    meet(0, 1, 2, 3, 4);
    surveyed.endPgm(undefined, 0);
    meet(5);
    surveyed.broken(0);
    expect([...uncertain]).toEqual([5]);
  });
});
