import { UnsupportedError } from '../../../formats/errors.ts';
import { PAGE_KIND_COUNT, type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import { isInLowHole } from '../../../formats/pgm/ranges.ts';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { FrameSet } from './frame-set.ts';

/** Limit for tracking pages of ROMs, which have at most some MiB. */
const MAX_ROM_PAGES = (64 * MIB) / PAGE_SIZE;

/** Counts page records and notes facts that show only after all of them. */
export class PageCensus {
  /** Records by kind of the current pass. */
  records: number[] = [];
  readonly romProtection = new Map<number, Uint8Array>();
  /** By range id: 1 for each page that some record gives a shadow. */
  readonly shadowPages = new Map<number, Uint8Array>();
  readonly lowHoleRam = new Set<number>();
  readonly ramFrames = new FrameSet();
  readonly #ramInLowHole: boolean;

  constructor(ramInLowHole: boolean) {
    this.#ramInLowHole = ramInLowHole;
  }

  beginPass(): number[] {
    this.records = new Array<number>(PAGE_KIND_COUNT).fill(0);
    return this.records;
  }

  add(batch: PageBatch): void {
    const { count, kind, page } = batch;
    for (let i = 0; i < count; i++) {
      const k = kind[i];
      this.records[k]++;
      if (k <= PageKind.RAM_RAW || k === PageKind.RAM_BALLOONED) {
        const frame = page[i];
        const inLowHole = isInLowHole(frame);
        if (inLowHole && !this.#ramInLowHole) continue;
        if (inLowHole) this.lowHoleRam.add(frame);
        this.ramFrames.add(frame);
      } else if (k >= PageKind.ROM_VIRGIN) {
        note(this.romProtection, batch.id[i], page[i], batch.protection[i]);
        if (k === PageKind.ROM_SHADOW_RAW || k === PageKind.ROM_SHADOW_ZERO)
          note(this.shadowPages, batch.id[i], page[i], 1);
      }
    }
  }
}

/** Notes a value for a page of a ROM, in an array that grows as far as it must. */
function note(values: Map<number, Uint8Array>, id: number, page: number, value: number): void {
  if (page >= MAX_ROM_PAGES)
    throw new UnsupportedError(
      'rom-too-large',
      `Cannot read ROM ${id}: page ${page}, expected fewer than ${MAX_ROM_PAGES} pages`,
    );
  let pages = values.get(id) ?? new Uint8Array(0);
  if (page >= pages.length) {
    const larger = new Uint8Array(Math.min(MAX_ROM_PAGES, Math.max(64, page + 1, pages.length * 2)));
    larger.set(pages);
    pages = larger;
    values.set(id, pages);
  }
  pages[page] = value;
}
