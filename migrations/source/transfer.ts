import { PageSet } from '../machine/page-set.ts';
import { SentPages } from '../pages/sent-pages.ts';
import { RateMeter } from './rate-meter.ts';

/** What of memory has gone to the target, what is to go, and how fast that goes. */
export class Transfer {
  readonly sent: SentPages;
  /** Pages to be sent. */
  readonly pending: PageSet;
  readonly meter = new RateMeter();

  constructor(pageCount: number) {
    this.sent = new SentPages(pageCount);
    this.pending = new PageSet(pageCount);
  }

  /** After a link broke nobody knows what was under way: of all pages those are sent that the target does not have. */
  beginLink(): void {
    this.sent.restart();
    this.pending.addAll();
  }
}
