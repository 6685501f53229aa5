import type { PageCounts } from './page-counters.ts';
import { PAGE_STATE_NAMES, PageState, PageType } from './page-states.ts';
import type { PgmErrorName } from './pgm-errors.ts';

// The one table of page states (guest-memory.md 3.4). `GuestPages` executes it, PAGES.md shows it, tests check it row
// by row.

/** Events of a page; PAGES.md tells their effects. */
export type PageEvent =
  | 'make-writable'
  | 'free'
  | 'balloon'
  | 'deflate'
  | 'monitor'
  | 'unmonitor'
  | 'release-write-lock'
  | 'share'
  | 'reset'
  | 'reset-preallocated';

/** Counters that follow from states; the mark `writtenTo` has a counter of its own. */
const COUNTED = ['private', 'zero', 'shared', 'monitored', 'ballooned'] as const satisfies (keyof PageCounts)[];

/** Effect of an event on the memory of a page. */
export type BackingEffect =
  /** A private page of zeros is allocated. */
  | 'allocate'
  /** A private page is allocated and gets the shared page's content; the reference to the shared page is dropped. */
  | 'copy'
  /** The private page is freed. */
  | 'release'
  /** The reference to the shared page is dropped. */
  | 'unreference'
  /** The private page is filled with zeros. */
  | 'clear'
  /** A private page of zeros replaces the shared one. */
  | 'renew'
  /** The caller has replaced the private page by a shared one. */
  | 'exchange';

/** Changes of counters; all have one shape, so that adding them is fast. */
export type CountChanges = Readonly<Record<(typeof COUNTED)[number], number>>;

/** Effect of one event on a page in one state. */
export interface PageTransition {
  to: number;
  effect?: BackingEffect;
  counts: CountChanges;
  /** Change of the mark that a monitored page was written; its counter follows. */
  writtenTo?: 'set' | 'clear';
  /** The event is refused with this error, and nothing changes. */
  error?: PgmErrorName;
}

export interface PageEventRule {
  when: string;
  /** Types of page to which the event applies. */
  types: readonly number[];
  /** Refusal for pages of other types. */
  typeError: PgmErrorName;
  /** Transitions by state: zero, allocated, write-monitored, shared, ballooned. */
  rows: readonly [PageTransition, PageTransition, PageTransition, PageTransition, PageTransition];
}

const { ZERO, ALLOCATED, WRITE_MONITORED, SHARED, BALLOONED } = PageState;
const { RAM, MMIO2, MMIO2_ALIAS_MMIO, ROM_SHADOW, ROM, MMIO } = PageType;
const WITH_MEMORY = [RAM, MMIO2, MMIO2_ALIAS_MMIO, ROM_SHADOW, ROM];

const changes = (some: Partial<CountChanges> = {}): CountChanges => ({
  private: 0,
  zero: 0,
  shared: 0,
  monitored: 0,
  ballooned: 0,
  ...some,
});
const UNCHANGED = changes();
const stay = (to: number): PageTransition => ({ to, counts: UNCHANGED });
const refuse = (to: number, error: PgmErrorName): PageTransition => ({ to, error, counts: UNCHANGED });

const allocated: PageTransition = { to: ALLOCATED, effect: 'allocate', counts: changes({ zero: -1, private: 1 }) };
const copied: PageTransition = { to: ALLOCATED, effect: 'copy', counts: changes({ shared: -1, private: 1 }) };
const written: PageTransition = { to: ALLOCATED, counts: changes({ monitored: -1 }), writtenTo: 'set' };
const released: PageTransition = { to: ZERO, effect: 'release', counts: changes({ private: -1, zero: 1 }) };
// VirtualBox does not update the counter of monitored pages here.
const releasedMonitored: PageTransition = {
  to: ZERO,
  effect: 'release',
  counts: changes({ private: -1, zero: 1, monitored: -1 }),
  writtenTo: 'set',
};
const unreferenced: PageTransition = { to: ZERO, effect: 'unreference', counts: changes({ shared: -1, zero: 1 }) };
const inflated = (row: PageTransition): PageTransition => ({
  ...row,
  to: BALLOONED,
  counts: { ...row.counts, ballooned: row.counts.ballooned + 1 },
});
const deflated: PageTransition = { to: ZERO, counts: changes({ ballooned: -1 }) };

export const PAGE_EVENTS: Readonly<Record<PageEvent, PageEventRule>> = {
  'make-writable': {
    when: 'the first write, a write lock, a mapping for writing',
    types: WITH_MEMORY,
    typeError: 'VERR_PGM_PHYS_PAGE_RESERVED',
    rows: [allocated, stay(ALLOCATED), written, copied, refuse(BALLOONED, 'VERR_PGM_PHYS_PAGE_BALLOONED')],
  },
  free: {
    when: 'MMIO or MMIO2 is mapped over RAM, a shadow page of a ROM is dropped, content is known to be zero',
    types: [RAM, ROM_SHADOW],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [stay(ZERO), released, releasedMonitored, unreferenced, stay(BALLOONED)],
  },
  balloon: {
    when: 'the balloon is inflated',
    types: [RAM],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    // VirtualBox counts an already ballooned page once more.
    rows: [
      inflated(stay(ZERO)),
      inflated(released),
      inflated(releasedMonitored),
      inflated(unreferenced),
      stay(BALLOONED),
    ],
  },
  deflate: {
    when: 'the balloon is deflated',
    types: [RAM],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [
      refuse(ZERO, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      refuse(ALLOCATED, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      refuse(WRITE_MONITORED, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      refuse(SHARED, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      deflated,
    ],
  },
  monitor: {
    when: 'write monitoring is armed',
    types: [RAM],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [
      stay(ZERO),
      { to: WRITE_MONITORED, counts: changes({ monitored: 1 }), writtenTo: 'clear' },
      stay(WRITE_MONITORED),
      stay(SHARED),
      stay(BALLOONED),
    ],
  },
  unmonitor: {
    when: 'write monitoring ends',
    types: [...WITH_MEMORY, MMIO],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [
      { ...stay(ZERO), writtenTo: 'clear' },
      { ...stay(ALLOCATED), writtenTo: 'clear' },
      { to: ALLOCATED, counts: changes({ monitored: -1 }), writtenTo: 'clear' },
      { ...stay(SHARED), writtenTo: 'clear' },
      { ...stay(BALLOONED), writtenTo: 'clear' },
    ],
  },
  'release-write-lock': {
    when: 'a write lock is released: its holder may have written',
    types: WITH_MEMORY,
    typeError: 'VERR_PGM_PHYS_PAGE_RESERVED',
    rows: [stay(ZERO), stay(ALLOCATED), written, stay(SHARED), stay(BALLOONED)],
  },
  share: {
    when: 'an equal page of the host takes the place of this one',
    types: [RAM],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [
      refuse(ZERO, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      { to: SHARED, effect: 'exchange', counts: changes({ private: -1, shared: 1 }) },
      refuse(WRITE_MONITORED, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      refuse(SHARED, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
      refuse(BALLOONED, 'VERR_PGM_UNEXPECTED_PAGE_STATE'),
    ],
  },
  reset: {
    when: 'the machine is reset; pages of large pages, and locked ones, take the next row',
    types: [RAM],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [stay(ZERO), released, releasedMonitored, unreferenced, deflated],
  },
  'reset-preallocated': {
    when: 'the machine is reset, and all RAM stays allocated',
    types: [RAM],
    typeError: 'VERR_PGM_PHYS_NOT_RAM',
    rows: [
      stay(ZERO),
      { ...stay(ALLOCATED), effect: 'clear' },
      { ...written, effect: 'clear' },
      { ...copied, effect: 'renew' },
      deflated,
    ],
  },
};

/** The table as Markdown. */
export function transitionTable(): string {
  const lines = [`| Event | ${PAGE_STATE_NAMES.join(' | ')} |`, `|---|${'---|'.repeat(PAGE_STATE_NAMES.length)}`];
  for (const [event, { when, rows }] of Object.entries(PAGE_EVENTS)) {
    lines.push(`| **${event}**: ${when} | ${rows.map((row, from) => cellText(row, from)).join(' | ')} |`);
  }
  return lines.join('\n');
}

function cellText({ to, effect, counts, writtenTo, error }: PageTransition, from: number): string {
  if (error) return error;
  const parts = [to === from ? 'stays' : `→ ${PAGE_STATE_NAMES[to]}`];
  if (effect) parts.push(effect);
  for (const name of COUNTED)
    if (counts[name] !== 0) parts.push(`${name} ${counts[name] > 0 ? '+' : '−'}${Math.abs(counts[name])}`);
  if (writtenTo) parts.push(`written-to ${writtenTo}`);
  return parts.join(', ');
}
