import { type PageBatch, PageKind } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { readState } from '../families/read-state.ts';
import type { Side } from './side.ts';

/** Pages by range and page number. */
export type WantedPages = Map<string, Set<number>>;
export type PageContents = Map<string, Map<number, Uint8Array>>;

/**
 * The last contents of the wanted pages, in one reading of the state; pages that the state does not hold are absent.
 */
export async function readPages({ source, names }: Side, wanted: WantedPages): Promise<PageContents> {
  const contents: PageContents = new Map([...wanted.keys()].map((range) => [range, new Map()]));
  const sink: PageSink = {
    take: (batch: PageBatch) => {
      for (let i = 0; i < batch.count; i++) {
        const named =
          batch.kind[i] === PageKind.ROM_PROTECTION
            ? undefined
            : names.naming(batch.kind[i], batch.id[i], batch.page[i]);
        if (!named || !wanted.get(named.range)?.has(named.page)) continue;
        const pages = contents.get(named.range);
        const page = pages?.get(named.page) ?? new Uint8Array(PAGE_SIZE);
        batch.decode(i, page, 0);
        pages?.set(named.page, page);
      }
    },
  };
  await readState(source, { skipCrc: true, sink });
  return contents;
}
