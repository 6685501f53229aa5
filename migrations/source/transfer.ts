import { PageSet } from '../machine/page-set.ts';
import { SentPages } from '../pages/sent-pages.ts';
import { RateMeter } from './rate-meter.ts';

/** Pages that the target has, pages to be sent, and the speed. */
export class Transfer {
  readonly sent: SentPages;
  /** Pages to be sent. */
  readonly pending: PageSet;
  readonly meter = new RateMeter();
  /** Pages that were sent over the present link, with pages that the target had already. */
  reached = 0;

  constructor(pageCount: number) {
    this.sent = new SentPages(pageCount);
    this.pending = new PageSet(pageCount);
  }

  /**
   * Begins anew with another link. It is not known which pages were under way, so all pages are compared, and pages
   * that the target lacks are sent. The speed is measured anew, too.
   */
  beginLink(): void {
    this.reached = 0;
    this.meter.restart();
    this.sent.restart();
    this.pending.addAll();
  }
}
