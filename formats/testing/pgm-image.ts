import { createHash } from 'node:crypto';
import { isMmio2, isRam, type PageBatch, PageKind } from '../pgm/page-batch.ts';
import { PAGE } from './pgm-machine.ts';

export const ZERO_PAGE = new Uint8Array(PAGE);

interface RomPage {
  virgin?: Uint8Array;
  shadow?: Uint8Array;
  protection: number;
}

/** All pages of a state, one copy each; for states of some MiB. Of repeated pages the last one stays. */
export class PgmImage {
  /** By frame. */
  readonly ram = new Map<number, Uint8Array>();
  readonly ballooned = new Set<number>();
  /** By range id, then page. */
  readonly roms = new Map<number, Map<number, RomPage>>();
  readonly mmio2 = new Map<number, Map<number, Uint8Array>>();
  /** Records by `PageKind`. */
  readonly records = new Array<number>(9).fill(0);

  take(batch: PageBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const kind = batch.kind[i];
      this.records[kind]++;
      const content = copyOf(batch, i);
      if (isRam(kind)) this.#takeRam(kind, batch.page[i], content);
      else if (isMmio2(kind)) mapIn(this.mmio2, batch.id[i]).set(batch.page[i], content);
      else this.#takeRom(kind, batch.id[i], batch.page[i], batch.protection[i], content);
    }
  }

  #takeRam(kind: number, frame: number, content: Uint8Array): void {
    this.ram.set(frame, content);
    if (kind === PageKind.RAM_BALLOONED) this.ballooned.add(frame);
    else this.ballooned.delete(frame);
  }

  #takeRom(kind: number, id: number, page: number, protection: number, content: Uint8Array): void {
    const pages = mapIn(this.roms, id);
    const rom: RomPage = { ...pages.get(page), protection };
    if (kind === PageKind.ROM_VIRGIN) rom.virgin = content;
    else if (kind !== PageKind.ROM_PROTECTION) rom.shadow = content;
    pages.set(page, rom);
  }
}

function copyOf(batch: PageBatch, i: number): Uint8Array {
  const content = new Uint8Array(PAGE);
  batch.decode(i, content, 0);
  return ZERO_PAGE.every((_, at) => content[at] === 0) ? ZERO_PAGE : content;
}

function mapIn<T>(maps: Map<number, Map<number, T>>, id: number): Map<number, T> {
  const found = maps.get(id) ?? new Map<number, T>();
  maps.set(id, found);
  return found;
}

/** SHA-256 of `count` pages in a row. */
export function hashPages(count: number, pageAt: (index: number) => Uint8Array | undefined): string {
  const hash = createHash('sha256');
  for (let i = 0; i < count; i++) hash.update(pageAt(i) ?? ZERO_PAGE);
  return hash.digest('hex');
}
