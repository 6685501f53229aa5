import { isRam, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import { LOW_HOLE_END, LOW_HOLE_START, ramLayout } from '../../../formats/pgm/ranges.ts';
import { FOUR_GIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import type { UnitOutcome } from './visitor.ts';

/** Frames of each stretch of RAM that VirtualBox writes front to back, `[start, end)`. */
export type RamStretches = readonly { start: number; end: number }[];

export function ramStretches(ramSize: number, ramHole: number | undefined, lowHoleIsRam: boolean): RamStretches {
  const { lowEnd, highEnd } = ramLayout(ramSize, ramHole);
  const low = lowHoleIsRam
    ? [{ start: 0, end: lowEnd }]
    : [
        { start: 0, end: Math.min(lowEnd, LOW_HOLE_START) },
        { start: LOW_HOLE_END, end: lowEnd },
      ];
  const stretches = [...low, { start: FOUR_GIB, end: highEnd }].filter(({ start, end }) => start < end);
  return stretches.map(({ start, end }) => ({ start: start / PAGE_SIZE, end: end / PAGE_SIZE }));
}

/** A gap in a plain pgm unit, and the number of RAM pages without an address after it. */
interface Gap {
  offset: number;
  pages: number;
  /** The frame after the last of these pages, if a record with an address or the end of the unit shows it. */
  end?: number;
}

/**
 * Finds the addresses of pages that follow a gap. A plain save holds every RAM page once, in ascending order, so pages
 * without an address are the last ones before the next stretch of RAM, or before the end.
 */
export class AnchorFinder {
  readonly anchors = new Map<number, number | undefined>();
  readonly #stretches: RamStretches;
  #gap: Gap | undefined;

  constructor(stretches: RamStretches) {
    this.#stretches = stretches;
  }

  readonly gap = (_pass: number, offset: number): void => {
    this.#gap = { offset, pages: 0 };
    this.anchors.set(offset, undefined);
  };

  readonly pages = (batch: PageBatch): void => {
    const gap = this.#gap;
    if (!gap || batch.count === 0) return;
    if (batch.floating) {
      for (let i = 0; i < batch.count; i++) if (isRam(batch.kind[i])) gap.pages++;
    } else this.#settle(isRam(batch.kind[0]) ? this.#endBefore(batch.page[0]) : undefined);
  };

  readonly endPgm = ({ sawLastPage }: UnitOutcome): void => {
    this.#settle(sawLastPage ? this.#stretches.at(-1)?.end : undefined);
  };

  /** The end of the stretch before the one that starts with `frame`. */
  #endBefore(frame: number): number | undefined {
    const index = this.#stretches.findIndex(({ start }) => start === frame);
    return index > 0 ? this.#stretches[index - 1].end : undefined;
  }

  #settle(end: number | undefined): void {
    const gap = this.#gap;
    this.#gap = undefined;
    if (!gap || end === undefined) return;
    const first = end - gap.pages;
    const fits = this.#stretches.some((stretch) => first >= stretch.start && end <= stretch.end);
    if (fits && gap.pages > 0) this.anchors.set(gap.offset, first);
  }
}
