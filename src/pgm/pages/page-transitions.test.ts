import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { GuestMemory } from '../guest-memory.ts';
import { checkIntegrity } from '../memory-integrity.ts';
import { HostBacking } from './host-backing.ts';
import { PAGE_STATE_NAMES, PageState, type PageStateName, PageType } from './page-states.ts';
import { PAGE_EVENTS, type PageEvent } from './page-transitions.ts';
import type { RamRange } from './ram-range.ts';

// Written down from guest-memory.md 3.4, not from the table in the code.

type Expected =
  | { to: PageStateName; counts?: string; content: 'kept' | 'zero'; written?: boolean }
  | { refused: string };

const stays = (to: PageStateName): Expected => ({ to, content: 'kept' });
const freed: Expected = { to: 'zero', counts: 'private-1 zero+1', content: 'zero' };
const freedMonitored: Expected = {
  to: 'zero',
  counts: 'private-1 zero+1 monitored-1 writtenTo+1',
  content: 'zero',
  written: true,
};
const freedShared: Expected = { to: 'zero', counts: 'shared-1 zero+1', content: 'zero' };
const unexpected: Expected = { refused: 'VERR_PGM_UNEXPECTED_PAGE_STATE' };

const ROWS: Record<PageEvent, Record<PageStateName, Expected>> = {
  'make-writable': {
    zero: { to: 'allocated', counts: 'zero-1 private+1', content: 'zero' },
    allocated: stays('allocated'),
    'write-monitored': { to: 'allocated', counts: 'monitored-1 writtenTo+1', content: 'kept', written: true },
    shared: { to: 'allocated', counts: 'shared-1 private+1', content: 'kept' },
    ballooned: { refused: 'VERR_PGM_PHYS_PAGE_BALLOONED' },
  },
  free: {
    zero: stays('zero'),
    allocated: freed,
    'write-monitored': freedMonitored,
    shared: freedShared,
    ballooned: stays('ballooned'),
  },
  balloon: {
    zero: { to: 'ballooned', counts: 'ballooned+1', content: 'zero' },
    allocated: { to: 'ballooned', counts: 'private-1 zero+1 ballooned+1', content: 'zero' },
    'write-monitored': {
      to: 'ballooned',
      counts: 'private-1 zero+1 ballooned+1 monitored-1 writtenTo+1',
      content: 'zero',
      written: true,
    },
    shared: { to: 'ballooned', counts: 'shared-1 zero+1 ballooned+1', content: 'zero' },
    ballooned: stays('ballooned'),
  },
  deflate: {
    zero: unexpected,
    allocated: unexpected,
    'write-monitored': unexpected,
    shared: unexpected,
    ballooned: { to: 'zero', counts: 'ballooned-1', content: 'zero' },
  },
  monitor: {
    zero: stays('zero'),
    allocated: { to: 'write-monitored', counts: 'monitored+1', content: 'kept' },
    'write-monitored': stays('write-monitored'),
    shared: stays('shared'),
    ballooned: stays('ballooned'),
  },
  unmonitor: {
    zero: stays('zero'),
    allocated: stays('allocated'),
    'write-monitored': { to: 'allocated', counts: 'monitored-1', content: 'kept' },
    shared: stays('shared'),
    ballooned: stays('ballooned'),
  },
  'release-write-lock': {
    zero: stays('zero'),
    allocated: stays('allocated'),
    'write-monitored': { to: 'allocated', counts: 'monitored-1 writtenTo+1', content: 'kept', written: true },
    shared: stays('shared'),
    ballooned: stays('ballooned'),
  },
  share: {
    zero: unexpected,
    allocated: { to: 'shared', counts: 'private-1 shared+1', content: 'kept' },
    'write-monitored': unexpected,
    shared: unexpected,
    ballooned: unexpected,
  },
  reset: {
    zero: stays('zero'),
    allocated: freed,
    'write-monitored': freedMonitored,
    shared: freedShared,
    ballooned: { to: 'zero', counts: 'ballooned-1', content: 'zero' },
  },
  'reset-preallocated': {
    zero: stays('zero'),
    allocated: { to: 'allocated', content: 'zero' },
    'write-monitored': { to: 'allocated', counts: 'monitored-1 writtenTo+1', content: 'zero', written: true },
    shared: { to: 'allocated', counts: 'shared-1 private+1', content: 'zero' },
    ballooned: { to: 'zero', counts: 'ballooned-1', content: 'zero' },
  },
};

const FILLED = new Uint8Array(PAGE_SIZE).fill(0x5a);
const PAGE = 3;

/** A machine whose page 3 is in the given state, with content where the state has any. */
function machineWith(state: PageStateName): { memory: GuestMemory; ram: RamRange } {
  const memory = new GuestMemory();
  const ram = memory.registerRam(0, 16 * PAGE_SIZE, 'Base RAM');
  if (state === 'ballooned') memory.pages.apply('balloon', ram, PAGE);
  else if (state !== 'zero') memory.write(PAGE * PAGE_SIZE, FILLED);
  if (state === 'write-monitored') memory.pages.apply('monitor', ram, PAGE);
  if (state === 'shared') shareWithHost(memory, ram);
  return { memory, ram };
}

/** Makes the private page itself the shared one, as the first machine of several does. */
function shareWithHost(memory: GuestMemory, ram: RamRange): void {
  memory.pages.backing.account.sharePage(ram.pageId[PAGE]);
  memory.pages.apply('share', ram, PAGE);
}

function deltas(text = ''): Record<string, number> {
  return Object.fromEntries([...text.matchAll(/(\w+?)([+-]\d)/g)].map(([, name, change]) => [name, Number(change)]));
}

describe('a page', () => {
  for (const [event, byState] of Object.entries(ROWS) as [PageEvent, Record<PageStateName, Expected>][]) {
    for (const state of PAGE_STATE_NAMES) {
      const expected = byState[state];
      it(`that is ${state}, at "${event}": ${'refused' in expected ? expected.refused : expected.to}`, () => {
        const { memory, ram } = machineWith(state);
        const before = { ...memory.pages.counts };
        if ('refused' in expected) {
          expect(() => memory.pages.apply(event, ram, PAGE)).toThrow(
            expect.objectContaining({ vboxCode: expected.refused }),
          );
          expect([ram.state[PAGE], memory.pages.counts]).toEqual([PAGE_STATE_NAMES.indexOf(state), before]);
          return;
        }
        if (event === 'share') memory.pages.backing.account.sharePage(ram.pageId[PAGE]);
        memory.pages.apply(event, ram, PAGE);
        memory.pages.flush();
        expect(PAGE_STATE_NAMES[ram.state[PAGE]]).toBe(expected.to);
        const changes = Object.entries(memory.pages.counts).filter(
          ([name, count]) => count !== before[name as keyof typeof before],
        );
        const change = Object.fromEntries(
          changes.map(([name, count]) => [name, count - before[name as keyof typeof before]]),
        );
        expect(change).toEqual(deltas(expected.counts));
        expect(ram.wasWritten(PAGE)).toBe(expected.written ?? false);
        const holds =
          expected.content === 'zero' || state === 'zero' || state === 'ballooned' ? new Uint8Array(PAGE_SIZE) : FILLED;
        expect(Buffer.compare(memory.pages.contentOf(ram, PAGE), holds)).toBe(0);
        expect(checkIntegrity(memory)).toEqual([]);
      });
    }
  }

  it('has all events tested', () => {
    expect(Object.keys(ROWS)).toEqual(Object.keys(PAGE_EVENTS));
  });

  it('keeps its written-to mark until monitoring is armed again or ends', () => {
    const { memory, ram } = machineWith('write-monitored');
    memory.write(PAGE * PAGE_SIZE, FILLED);
    expect(ram.wasWritten(PAGE)).toBe(true);
    memory.pages.apply('monitor', ram, PAGE);
    expect([ram.wasWritten(PAGE), memory.pages.counts.writtenTo]).toEqual([false, 0]);
    memory.write(PAGE * PAGE_SIZE, FILLED);
    memory.pages.apply('unmonitor', ram, PAGE);
    expect([ram.wasWritten(PAGE), memory.pages.counts.writtenTo]).toEqual([false, 0]);
  });

  it('of a type that an event is not for is left alone', () => {
    const { memory, ram } = machineWith('zero');
    const refusals: [number, PageEvent, string][] = [
      [PageType.MMIO, 'make-writable', 'VERR_PGM_PHYS_PAGE_RESERVED'],
      [PageType.MMIO, 'release-write-lock', 'VERR_PGM_PHYS_PAGE_RESERVED'],
      [PageType.MMIO2, 'free', 'VERR_PGM_PHYS_NOT_RAM'],
      [PageType.ROM, 'free', 'VERR_PGM_PHYS_NOT_RAM'],
      [PageType.INVALID, 'unmonitor', 'VERR_PGM_PHYS_NOT_RAM'],
      ...(['balloon', 'deflate', 'monitor', 'share', 'reset', 'reset-preallocated'] as const).map(
        (event): [number, PageEvent, string] => [PageType.ROM_SHADOW, event, 'VERR_PGM_PHYS_NOT_RAM'],
      ),
    ];
    for (const [type, event, vboxCode] of refusals) {
      ram.type[PAGE] = type;
      expect(() => memory.pages.apply(event, ram, PAGE)).toThrow(expect.objectContaining({ vboxCode }));
      expect(ram.state[PAGE]).toBe(PageState.ZERO);
    }
  });

  it('with an impossible page id is not freed: VERR_PGM_PHYS_INVALID_PAGE_ID', () => {
    const { memory, ram } = machineWith('allocated');
    for (const id of [0, 1, 511, 0x1000_0000]) {
      ram.pageId[PAGE] = id;
      expect(() => memory.pages.apply('free', ram, PAGE)).toThrow(
        expect.objectContaining({ vboxCode: 'VERR_PGM_PHYS_INVALID_PAGE_ID' }),
      );
      expect(ram.state[PAGE]).toBe(PageState.ALLOCATED);
    }
  });

  it('gets no memory when the host has none: VERR_EM_NO_MEMORY, and nothing has changed', () => {
    for (const state of ['zero', 'shared'] as const) {
      const { memory, ram } = machineWith(state);
      const { handy } = memory.pages.backing;
      while (handy.count > 0) handy.take(0);
      handy.injectFailure = true;
      const before = { ...memory.pages.counts };
      const id = ram.pageId[PAGE];
      expect(() => memory.write(PAGE * PAGE_SIZE, FILLED)).toThrow(
        expect.objectContaining({ vboxCode: 'VERR_EM_NO_MEMORY' }),
      );
      expect([PAGE_STATE_NAMES[ram.state[PAGE]], ram.pageId[PAGE], memory.pages.counts]).toEqual([state, id, before]);
    }
  });

  it('that is shared gives a private copy to its writer only', () => {
    const { memory, ram } = machineWith('shared');
    const shared = ram.pageId[PAGE];
    const other = new GuestMemory(new HostBacking(memory.pages.backing.host));
    const otherRam = other.registerRam(0, 4 * PAGE_SIZE, 'Base RAM');
    other.write(0, FILLED);
    other.pages.backing.account.exchangeForShared(otherRam.pageId[0], shared);
    otherRam.pageId[0] = shared;
    other.pages.apply('share', otherRam, 0);
    memory.write(PAGE * PAGE_SIZE, Uint8Array.of(1));
    expect(ram.pageId[PAGE]).not.toBe(shared);
    expect(Buffer.compare(other.pages.contentOf(otherRam, 0), FILLED)).toBe(0);
    expect([...memory.pages.contentOf(ram, PAGE).subarray(0, 2)]).toEqual([1, 0x5a]);
  });
});
