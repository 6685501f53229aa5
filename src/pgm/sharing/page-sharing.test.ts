import { describe, expect, test } from 'vitest';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { HostMemory } from '../../gmm/host-memory.ts';
import { GuestMemory } from '../guest-memory.ts';
import { HostBacking } from '../pages/host-backing.ts';
import type { PageRequest, RequestOutcome } from '../pages/page-requests.ts';
import { PageState } from '../pages/page-states.ts';
import { PageSharing } from './page-sharing.ts';

const PAGES = 64;

function machineOn(host: HostMemory): GuestMemory {
  const memory = new GuestMemory(new HostBacking(host));
  memory.registerRam(0, PAGES * PAGE_SIZE, 'Base RAM');
  return memory;
}

/** Fills pages with one byte each, from address 0 on. */
function put(memory: GuestMemory, ...bytes: number[]): void {
  for (const [page, byte] of bytes.entries()) memory.fill(page * PAGE_SIZE, PAGE_SIZE, byte);
}

const stateOf = (memory: GuestMemory, page: number) => memory.ranges.all[0].state[page];
const idOf = (memory: GuestMemory, page: number) => memory.ranges.all[0].pageId[page];

function twoMachines(): { host: HostMemory; a: GuestMemory; b: GuestMemory; sharing: PageSharing } {
  const host = new HostMemory();
  const [a, b] = [machineOn(host), machineOn(host)];
  const sharing = new PageSharing(host);
  sharing.add(a);
  sharing.add(b);
  return { host, a, b, sharing };
}

describe('PageSharing', () => {
  test('lets equal pages of two machines, and of one, be one; a write copies it, and nobody else sees the write', () => {
    const { host, a, b, sharing } = twoMachines();
    put(a, 1, 2, 3, 1);
    put(b, 3, 1);
    const before = host.figures.allocatedPages;
    sharing.scanAll();
    expect(sharing.counts).toMatchObject({ exchangedPages: 0, changedPages: 6 });
    sharing.scanAll();
    expect(sharing.counts).toMatchObject({ exchangedPages: 3, refusedRequests: 0 });
    expect(host.figures).toMatchObject({ sharedPages: 2, duplicatePages: 3, allocatedPages: before - 3 });
    expect([a.pages.counts.shared, b.pages.counts.shared]).toEqual([3, 2]);
    expect(idOf(a, 0)).toBe(idOf(b, 1));
    b.write(PAGE_SIZE, Uint8Array.of(9));
    expect([a.readU32(0), b.readU32(PAGE_SIZE), a.readU32(3 * PAGE_SIZE)]).toEqual([
      0x01010101, 0x01010109, 0x01010101,
    ]);
    expect(stateOf(b, 1)).toBe(PageState.ALLOCATED);
    expect(b.pages.counts.shared).toBe(1);
  });

  test('gives pages of zeros back', () => {
    const { a, sharing } = twoMachines();
    put(a, 0, 5, 0);
    sharing.scanAll();
    sharing.scanAll();
    expect(sharing.counts.zeroPages).toBe(2);
    expect(stateOf(a, 0)).toBe(PageState.ZERO);
    expect(a.pages.counts).toMatchObject({ zero: PAGES - 1, private: 1 });
  });

  test('leaves pages alone that change from pass to pass, that a device has mapped, and all of a machine whose writes are monitored', () => {
    const { a, b, sharing } = twoMachines();
    put(a, 1, 1, 1, 1);
    a.ranges.all[0].writeLocks[1] = 1;
    put(b, 1);
    b.monitor.engage('live save');
    for (let pass = 0; pass < 5; pass++) {
      a.write(0, Uint8Array.of(pass));
      sharing.scanAll();
    }
    expect([0, 1, 2, 3].map((page) => stateOf(a, page))).toEqual([
      PageState.ALLOCATED,
      PageState.ALLOCATED,
      PageState.SHARED,
      PageState.SHARED,
    ]);
    expect(stateOf(b, 0)).toBe(PageState.ALLOCATED);
  });

  test('goes on in small steps, and takes ranges that come and go into account', () => {
    const { a, b, sharing } = twoMachines();
    put(a, 7, 8);
    sharing.scan(3);
    a.registerRam(2 ** 20, PAGE_SIZE, 'more');
    a.fill(2 ** 20, PAGE_SIZE, 8);
    for (let i = 0; i < 100; i++) sharing.scan(3);
    expect(stateOf(a, 1)).toBe(PageState.SHARED);
    sharing.remove(a);
    put(b, 7);
    for (let i = 0; i < 100; i++) sharing.scan(3);
    expect(stateOf(b, 0)).toBe(PageState.ALLOCATED);
    sharing.remove(b);
    sharing.scan(3);
  });

  test('asks running machines, which refuse pages that have changed meanwhile', () => {
    const host = new HostMemory();
    const [a, b] = [machineOn(host), machineOn(host)];
    const sharing = new PageSharing(host);
    sharing.add(a, true);
    sharing.add(b, true);
    put(a, 1, 2);
    put(b, 1, 2);
    sharing.scanAll();
    sharing.scanAll();
    expect(a.requests.waiting).toBe(2);
    a.requests.run();
    b.write(0, Uint8Array.of(4));
    expect(b.requests.run()).toBe(1);
    expect(sharing.counts).toMatchObject({ exchangedPages: 1, refusedRequests: 1 });
    expect([stateOf(b, 0), stateOf(b, 1)]).toEqual([PageState.ALLOCATED, PageState.SHARED]);
    expect(b.readU32(0)).toBe(0x01010104);
  });
});

describe('PageRequests', () => {
  /** Changes a machine while a request for page 0 is under way. @returns what becomes of the request */
  function outcomeAfter(
    what: PageRequest['what'],
    change: (memory: GuestMemory, other: GuestMemory) => void,
  ): RequestOutcome | undefined {
    const host = new HostMemory();
    const [memory, other] = [machineOn(host), machineOn(host)];
    put(memory, what === 'drop-zeros' ? 0 : 1);
    put(other, 1);
    other.requests.carryOut({ what: 'share', gcPhys: 0, pageId: idOf(other, 0) });
    let outcome: RequestOutcome | undefined;
    const request = { what, gcPhys: 0, pageId: idOf(memory, 0), sharedId: idOf(other, 0) } as PageRequest;
    memory.requests.ask(request, (answer) => {
      outcome = answer;
    });
    change(memory, other);
    memory.requests.run();
    return outcome;
  }

  const CHANGES: Record<string, (memory: GuestMemory, other: GuestMemory) => void> = {
    ballooned: (memory) => memory.balloon.inflate([0]),
    'locked by a device': (memory) => {
      memory.ranges.all[0].writeLocks[0] = 1;
    },
    'freed and taken again': (memory) => {
      memory.balloon.inflate([0]);
      memory.balloon.deflate([0]);
      put(memory, 1);
    },
    shared: (memory) => memory.requests.carryOut({ what: 'share', gcPhys: 0, pageId: idOf(memory, 0) }),
  };
  const WHATS = ['drop-zeros', 'share', 'exchange', 'move'] as const;

  test.each(WHATS)('%s is done when nothing has changed', (what) => {
    expect(outcomeAfter(what, () => {})).toBe('done');
  });

  test.each(WHATS.flatMap((what) => Object.keys(CHANGES).map((change) => [what, change])))(
    '%s is refused when the page was %s',
    (what, change) => {
      expect(outcomeAfter(what as PageRequest['what'], CHANGES[change])).toBe('refused');
    },
  );

  test.each(['drop-zeros', 'share', 'exchange'] as const)('%s is refused when a live save has begun', (what) => {
    expect(outcomeAfter(what, (memory) => memory.monitor.engage('live save'))).toBe('refused');
  });

  test('exchange and drop-zeros are refused when the bytes are not what they were', () => {
    const write = (memory: GuestMemory) => memory.write(5, Uint8Array.of(77));
    expect(outcomeAfter('drop-zeros', write)).toBe('refused');
    expect(outcomeAfter('exchange', write)).toBe('refused');
  });

  test('exchange is refused when the shared page is no longer shared', () => {
    expect(outcomeAfter('exchange', (_memory, other) => other.write(0, Uint8Array.of(5)))).toBe('refused');
  });

  test('move keeps a monitored page monitored', () => {
    const memory = machineOn(new HostMemory());
    put(memory, 1);
    memory.monitor.engage('live save');
    memory.monitor.arm(memory.ranges.all[0], 0);
    const before = idOf(memory, 0);
    expect(memory.requests.carryOut({ what: 'move', gcPhys: 0, pageId: before })).toBe('done');
    expect([stateOf(memory, 0), idOf(memory, 0) === before, memory.readU32(0)]).toEqual([
      PageState.WRITE_MONITORED,
      false,
      0x01010101,
    ]);
  });

  test('move leaves no large page: it is not in one piece any more', () => {
    const memory = new GuestMemory(new HostBacking(new HostMemory()));
    memory.registerRam(0, 4 * MIB, 'Base RAM');
    memory.registerRam(16 * MIB, PAGE_SIZE, 'its page comes from a chunk with room');
    memory.largePages.isEnabled = true;
    memory.write(16 * MIB, Uint8Array.of(1));
    for (const page of [0, 511]) {
      const at = page === 0 ? 0 : 2 * MIB;
      memory.write(at, Uint8Array.of(1));
      memory.largePages.map(at);
      expect(
        memory.requests.carryOut({
          what: 'move',
          gcPhys: at + page * PAGE_SIZE,
          pageId: idOf(memory, at / PAGE_SIZE + page),
        }),
      ).toBe('done');
      expect(() => memory.largePages.map(at)).toThrow(
        expect.objectContaining({ vboxCode: 'VERR_PGM_INVALID_LARGE_PAGE_RANGE' }),
      );
    }
  });

  test('a shared page that a device reads stays in place for it, when a write has copied it and nobody else has it', () => {
    const host = new HostMemory();
    const memory = machineOn(host);
    put(memory, 1);
    memory.requests.carryOut({ what: 'share', gcPhys: 0, pageId: idOf(memory, 0) });
    const lock = memory.locks.lockForReading(0);
    memory.write(0, Uint8Array.of(2));
    memory.close();
    host.trim();
    expect(lock.bytes[0]).toBe(1);
    lock.release();
    host.trim();
    expect(host.figures.chunks).toBe(0);
  });

  test('a request for what is not there is refused at once, and so is a second one for the same page', () => {
    const memory = machineOn(new HostMemory());
    const outcomes: RequestOutcome[] = [];
    memory.requests.ask({ what: 'share', gcPhys: 2 ** 30, pageId: 512 }, (outcome) => outcomes.push(outcome));
    memory.requests.ask({ what: 'share', gcPhys: 0, pageId: 512 }, (outcome) => outcomes.push(outcome));
    expect(outcomes).toEqual(['refused', 'refused']);
    expect(memory.requests.waiting).toBe(0);
    put(memory, 1);
    const request: PageRequest = { what: 'share', gcPhys: 0, pageId: idOf(memory, 0) };
    memory.requests.ask(request);
    memory.requests.ask(request, (outcome) => outcomes.push(outcome));
    expect([outcomes.length, memory.requests.waiting]).toEqual([3, 1]);
  });

  test('the host empties chunks by asking machines, who lose nothing', () => {
    const host = new HostMemory();
    const memory = new GuestMemory(new HostBacking(host));
    const pages = 4096;
    memory.registerRam(0, pages * PAGE_SIZE, 'Base RAM');
    for (let page = 0; page < pages; page++) memory.write(page * PAGE_SIZE, Uint8Array.of(page & 0xff, page >> 8));
    const gone = Array.from({ length: pages }, (_, page) => page).filter((page) => page % 16 !== 0);
    memory.balloon.inflate(gone.map((page) => page * PAGE_SIZE));
    const before = host.figures.chunks;
    const { emptiedChunks } = host.defragment();
    expect(emptiedChunks).toBeGreaterThan(3);
    expect(host.figures.chunks).toBeLessThanOrEqual(before - emptiedChunks);
    for (let page = 0; page < pages; page += 16) expect(memory.readU32(page * PAGE_SIZE)).toBe(page);
  });
});
