import type { StatTree } from '../pgm/statistics/stat-tree.ts';

/** Kinds of page that are tracked, each in its own way. */
export type PageClass = 'ram' | 'rom' | 'mmio2';

/** Pages of one class (`LiveSave.Ram`, `.Rom`, `.Mmio2`): `ready` and `dirty` add up to all that are tracked. */
export interface ClassCounts {
  /** Pages that are sent and unchanged since. */
  ready: number;
  /** Pages that the other side lacks. */
  dirty: number;
  /** Ready pages that are zero. */
  zero: number;
  /** Pages that have been put under write monitoring. */
  monitored: number;
}

/** Counts of a live save, as VirtualBox's statistics show them below `/PGM/LiveSave/`. */
export interface LiveCounts extends Record<PageClass, ClassCounts> {
  /** Whether a live save is under way. */
  active: boolean;
  /** Pages in RAM ranges that are not RAM, and so never sent. */
  ignored: number;
  /** Average of dirty pages over many passes. */
  dirtyLong: number;
  /** Average of dirty pages over the last passes. */
  dirtyShort: number;
  /** Pages saved per second. */
  pagesPerSecond: number;
  /** Pages saved since the start; counted anew from pass 7 on. */
  saved: number;
}

export function noCounts(): LiveCounts {
  const none = (): ClassCounts => ({ ready: 0, dirty: 0, zero: 0, monitored: 0 });
  return {
    ram: none(),
    rom: none(),
    mmio2: none(),
    active: false,
    ignored: 0,
    dirtyLong: 0,
    dirtyShort: 0,
    pagesPerSecond: 0,
    saved: 0,
  };
}

/** Shows the counts in a machine's statistics, below `/PGM/LiveSave/`. Source: PGM.cpp, pgmR3InitStats. */
export function bindLiveStatistics(statistics: StatTree, counts: () => Readonly<LiveCounts>): void {
  const bind = (name: string, value: (counts: Readonly<LiveCounts>) => number) =>
    statistics.bind(`/PGM/LiveSave/${name}`, () => value(counts()));
  bind('fActive', ({ active }) => (active ? 1 : 0));
  bind('cIgnoredPages', ({ ignored }) => ignored);
  bind('cDirtyPagesLong', ({ dirtyLong }) => dirtyLong);
  bind('cDirtyPagesShort', ({ dirtyShort }) => dirtyShort);
  bind('cPagesPerSecond', ({ pagesPerSecond }) => pagesPerSecond);
  bind('cSavedPages', ({ saved }) => saved);
  for (const [name, kind] of [
    ['Ram', 'ram'],
    ['Rom', 'rom'],
    ['Mmio2', 'mmio2'],
  ] as const) {
    bind(`${name}/cReadPages`, (all) => all[kind].ready);
    bind(`${name}/cDirtyPages`, (all) => all[kind].dirty);
    bind(`${name}/cZeroPages`, (all) => all[kind].zero);
    bind(`${name}/cMonitoredPages`, (all) => all[kind].monitored);
  }
}
