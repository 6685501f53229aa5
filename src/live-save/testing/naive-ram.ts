/** A page of the naive model; `state` as the page manager would have it. */
interface Page {
  state: 'zero' | 'allocated' | 'monitored' | 'ballooned';
  writtenTo: boolean;
  content: number;
  isDirty: boolean;
  isZero: boolean;
  justNow: boolean;
  wasMonitored: boolean;
  /** As the last scan has found it. */
  inBalloon: boolean;
}

/** A second model of RAM and its tracking: an object a page, straight from the tables of live-save.md 4.1 and 4.2. */
export class NaiveRam {
  readonly pages: Page[];

  constructor(count: number) {
    this.pages = Array.from({ length: count }, () => ({
      state: 'zero',
      writtenTo: false,
      content: 0,
      isDirty: true,
      isZero: true,
      justNow: false,
      wasMonitored: false,
      inBalloon: false,
    }));
  }

  /** Starts tracking. */
  prepare(): void {
    for (const page of this.pages) {
      page.isDirty = true;
      page.isZero = page.state === 'zero' || page.state === 'ballooned';
      page.justNow = false;
      page.wasMonitored = false;
      page.inBalloon = false;
    }
  }

  write(number: number, content: number): void {
    const page = this.pages[number];
    if (page.state === 'ballooned') return;
    if (page.state === 'monitored') page.writtenTo = true;
    page.state = 'allocated';
    page.content = content;
  }

  free(number: number): void {
    const page = this.pages[number];
    if (page.state === 'ballooned') return;
    if (page.state === 'monitored') page.writtenTo = true;
    page.state = 'zero';
    page.content = 0;
  }

  balloon(number: number): void {
    this.free(number);
    this.pages[number].state = 'ballooned';
  }

  deflate(number: number): void {
    if (this.pages[number].state === 'ballooned') this.pages[number].state = 'zero';
  }

  scan(): void {
    for (const page of this.pages) {
      if (page.state === 'allocated') {
        page.writtenTo = false;
        page.state = 'monitored';
        page.isDirty = true;
        page.isZero = false;
        page.justNow = true;
        page.wasMonitored = true;
      } else if (page.state === 'monitored') page.justNow = false;
      else {
        // Going into the balloon and coming out of it are told, each once.
        if (!page.isZero || page.inBalloon !== (page.state === 'ballooned')) page.isDirty = true;
        page.isZero = true;
      }
      page.inBalloon = page.state === 'ballooned';
    }
  }

  /** Numbers of the pages that are sent. */
  take(isFinal: boolean, eager: boolean): number[] {
    const taken: number[] = [];
    for (const [number, page] of this.pages.entries()) {
      const gone = page.state === 'zero' ? !page.inBalloon : page.state === 'ballooned' && page.inBalloon && eager;
      const quiet = page.isZero ? gone : page.state === 'monitored';
      // The flag stays where a page was freed right after it had been armed, as in the original.
      if (!page.isDirty || !(isFinal || (quiet && (eager || !page.justNow)))) continue;
      page.isDirty = false;
      taken.push(number);
    }
    return taken;
  }

  finish(): void {
    for (const page of this.pages) {
      page.writtenTo = false;
      if (page.state === 'monitored') page.state = 'allocated';
    }
  }
}
