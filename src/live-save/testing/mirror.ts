import { type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';

/** The other side: keeps the last content of each page, by `kind/id:page`. */
export class Mirror implements PageSink {
  readonly ram = new Map<number, { kind: number; content: Uint8Array }>();
  readonly mmio2 = new Map<string, Uint8Array>();
  readonly shadow = new Map<string, { protection: number; content: Uint8Array }>();
  readonly virgin = new Map<string, Uint8Array>();
  /** Page frames and kinds of the pass that came last. */
  lastRam: number[] = [];

  take(batch: PageBatch): void {
    for (let i = 0; i < batch.count; i++) {
      const content = new Uint8Array(PAGE_SIZE);
      batch.decode(i, content, 0);
      this.#keep(batch.kind[i], batch.page[i], `${batch.id[i]}:${batch.page[i]}`, batch.protection[i], content);
    }
  }

  #keep(kind: number, page: number, key: string, protection: number, content: Uint8Array): void {
    if (kind === PageKind.MMIO2_RAW || kind === PageKind.MMIO2_ZERO) this.mmio2.set(key, content);
    else if (kind === PageKind.ROM_VIRGIN) this.virgin.set(key, content);
    else if (kind === PageKind.ROM_SHADOW_RAW || kind === PageKind.ROM_SHADOW_ZERO)
      this.shadow.set(key, { protection, content });
    else if (kind === PageKind.ROM_PROTECTION)
      this.shadow.set(key, { protection, content: this.shadow.get(key)?.content ?? content });
    else {
      this.ram.set(page, { kind, content });
      this.lastRam.push(page);
    }
  }
}
