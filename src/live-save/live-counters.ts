/** Kinds of page that are tracked, each in its own way. */
export type PageClass = 'ram' | 'rom' | 'mmio2';

/** Pages of one class (`LiveSave.Ram`, `.Rom`, `.Mmio2`): `ready` and `dirty` add up to all that are tracked. */
export interface ClassCounts {
  /** Pages that are sent and unchanged since. */
  ready: number;
  dirty: number;
  /** Of the ready ones, those that are zero. */
  zero: number;
  /** Pages that have been put under write monitoring. */
  monitored: number;
}

/** What a live save counts, as VirtualBox's statistics show it below `/PGM/LiveSave/`. */
export interface LiveCounts extends Record<PageClass, ClassCounts> {
  active: boolean;
  /** Pages in RAM ranges that are not RAM, and so never sent. */
  ignored: number;
  dirtyLong: number;
  dirtyShort: number;
  pagesPerSecond: number;
  /** Pages taken since the start; anew from pass 7 on. */
  saved: number;
}

export function noCounts(): LiveCounts {
  const none = (): ClassCounts => ({ ready: 0, dirty: 0, zero: 0, monitored: 0 });
  return { ram: none(), rom: none(), mmio2: none(), active: false, ignored: 0, dirtyLong: 0, dirtyShort: 0, pagesPerSecond: 0, saved: 0 };
}

/** Paths and current values of the counts. Source: PGM.cpp, pgmR3InitStats. */
export const LIVE_STATISTICS: readonly { path: string; description: string; value: (counts: LiveCounts) => number }[] = [
  { path: '/PGM/LiveSave/fActive', description: 'live save running', value: ({ active }) => (active ? 1 : 0) },
  { path: '/PGM/LiveSave/cIgnoredPages', description: 'non-RAM pages inside RAM ranges', value: ({ ignored }) => ignored },
  { path: '/PGM/LiveSave/cDirtyPagesLong', description: 'long-term dirty average', value: ({ dirtyLong }) => dirtyLong },
  { path: '/PGM/LiveSave/cDirtyPagesShort', description: 'short-term dirty average', value: ({ dirtyShort }) => dirtyShort },
  { path: '/PGM/LiveSave/cPagesPerSecond', description: 'save speed', value: ({ pagesPerSecond }) => pagesPerSecond },
  { path: '/PGM/LiveSave/cSavedPages', description: 'pages saved so far', value: ({ saved }) => saved },
  ...(['Ram', 'Rom', 'Mmio2'] as const).flatMap((name) => {
    const of = (counts: LiveCounts) => counts[name.toLowerCase() as PageClass];
    const row = (field: string, what: string, value: (counts: ClassCounts) => number) => ({
      path: `/PGM/LiveSave/${name}/${field}`,
      description: `${name}: ${what}`,
      value: (counts: LiveCounts) => value(of(counts)),
    });
    return [
      row('cReadPages', 'ready pages', ({ ready }) => ready),
      row('cDirtyPages', 'dirty pages', ({ dirty }) => dirty),
      row('cZeroPages', 'ready zero pages', ({ zero }) => zero),
      row('cMonitoredPages', 'monitored pages', ({ monitored }) => monitored),
    ];
  }),
];
