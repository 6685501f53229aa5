import { describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { HostMemory } from './host-memory.ts';
import { CHUNK_ID_SHIFT, offsetInChunk, PAGES_PER_CHUNK } from './page-id.ts';
import { allocate, chunksOf, machineOn, oneMachine, PAGES, page } from './testing/one-machine.ts';

describe('allocatePages()', () => {
  test('gives zeroed pages, also of those that another machine had written', () => {
    const { host, account } = oneMachine();
    const ids = allocate(account, 600);
    for (const id of ids) page(host, id).fill(0xa5);
    account.freePages('base', ids);
    for (const id of allocate(machineOn(host), 600)) expect(page(host, id).every((byte) => byte === 0)).toBe(true);
  });

  test("takes the fullest of the machine's own chunks first", () => {
    const { host, account } = oneMachine();
    const ids = allocate(account, 2 * PAGES_PER_CHUNK);
    const other = allocate(machineOn(host), 500);
    account.freePages('base', ids.subarray(0, 300));
    account.freePages('base', ids.subarray(PAGES_PER_CHUNK, PAGES_PER_CHUNK + 20));
    expect(chunksOf(allocate(account, 20))).toEqual([ids[PAGES_PER_CHUNK] >>> CHUNK_ID_SHIFT]);
    expect(chunksOf(allocate(account, 300))).toEqual([ids[0] >>> CHUNK_ID_SHIFT]);
    expect(chunksOf(other)).not.toContain(ids[0] >>> CHUNK_ID_SHIFT);
  });

  test("takes empty chunks before other machines', which come before new ones", () => {
    const { host, account } = oneMachine();
    const mine = allocate(account, 100);
    const other = machineOn(host);
    const theirs = [...allocate(other, 206), ...allocate(other, 206)];
    expect(chunksOf(theirs)).toEqual(chunksOf(mine));
    const more = allocate(other, PAGES_PER_CHUNK);
    other.freePages('base', more);
    account.freePages('base', mine.subarray(0, 50));
    expect(chunksOf(allocate(other, 10))).toEqual(chunksOf(more));
    expect(host.figures.chunks).toBe(2);
  });

  test('takes a chunk over when it is more than half free and half a chunk is asked for', () => {
    const { host, account } = oneMachine();
    const mine = allocate(account, 100);
    const other = machineOn(host);
    allocate(other, 300);
    account.freePages('base', mine.subarray(0, 50));
    other.freePages('base', allocate(other, 12));
    expect(chunksOf(allocate(other, 1))).toEqual(chunksOf(mine));
    expect(host.figures.chunks).toBe(1);
  });

  test('gives 512 pages in a row for a large page', () => {
    const { host, account } = oneMachine();
    allocate(account, 5);
    const first = account.allocateLargePage('base');
    expect(offsetInChunk(first)).toBe(0);
    expect(page(host, first + 511).length).toBe(PAGE_SIZE);
    expect(account.allocated.base).toBe(517);
    account.freePages(
      'base',
      Uint32Array.from({ length: 512 }, (_, i) => first + i),
    );
    expect(account.allocated.base).toBe(5);
  });

  test('takes what the machine seeded, on a host that cannot allocate for it', () => {
    const { host, account } = oneMachine({ seeded: true });
    account.seedChunk();
    expect(allocate(account, PAGES_PER_CHUNK)).toHaveLength(PAGES_PER_CHUNK);
    expect(() => allocate(account, 1)).toThrow(expect.objectContaining({ code: 'seed-me' }));
    expect(() => account.sharePage(1 << CHUNK_ID_SHIFT)).toThrow(expect.objectContaining({ code: 'page-not-private' }));
    expect(host.figures.chunks).toBe(1);
  });
});

describe('a host of several machines', () => {
  test('counts what policy to-be-decided promises beyond what it has', () => {
    const host = new HostMemory({ maxPages: 5000 });
    machineOn(host);
    const second = host.openAccount();
    second.reserve(PAGES, 'to-be-decided', 'low');
    const { reservedPages, overCommittedPages } = host.figures;
    expect([reservedPages, overCommittedPages]).toEqual([2 * 4128, 2 * 4128 - 5000]);
    second.close();
    expect(host.figures).toMatchObject({ reservedPages: 4128, overCommittedPages: 0 });
  });

  test('frees a shared page with its last reference', () => {
    const { host, account } = oneMachine();
    const other = machineOn(host);
    const [id] = allocate(account, 1);
    account.sharePage(id);
    const [own] = allocate(other, 1);
    other.exchangeForShared(own, id);
    expect(host.figures).toMatchObject({ allocatedPages: 1, sharedPages: 1, duplicatePages: 1 });
    account.freePages('base', new Uint32Array([id]));
    expect(() => account.freePages('base', new Uint32Array([id]))).toThrow(
      expect.objectContaining({ code: 'free-too-much' }),
    );
    expect(host.figures).toMatchObject({ allocatedPages: 1, sharedPages: 1, duplicatePages: 0 });
    other.freePages('base', new Uint32Array([id]));
    expect(host.figures).toMatchObject({ allocatedPages: 0, sharedPages: 0, duplicatePages: 0 });
  });

  test('gets everything back of a machine that ends, but references to shared pages', () => {
    const { host, account } = oneMachine();
    const ids = allocate(account, 1000);
    account.sharePage(ids[3]);
    account.balloon('inflate', 7);
    account.close();
    account.close();
    expect(host.figures).toMatchObject({
      allocatedPages: 1,
      balloonedPages: 0,
      reservedPages: 0,
      leftBehindSharedPages: 1,
    });
    expect(host.accounts.size).toBe(0);
  });

  test('empties nearly empty chunks by asking their machines, and gives them back with nothing lost', () => {
    const { host, account } = oneMachine();
    const ids = allocate(account, 8 * PAGES_PER_CHUNK);
    const kept = ids.filter((_, i) => i % PAGES_PER_CHUNK >= (i < 512 ? 300 : 480));
    for (const id of kept) page(host, id).fill(id & 0xff);
    account.freePages(
      'base',
      ids.filter((id) => !kept.includes(id)),
    );
    expect(host.defragment()).toEqual({ emptiedChunks: 0, movedPages: 0 });
    const movedTo = new Map<number, number>();
    account.moveOut = (isLeaving) => {
      for (const id of kept) if (isLeaving(id)) movedTo.set(id, account.movePage(id));
    };
    expect(host.defragment()).toEqual({ emptiedChunks: 7, movedPages: 7 * 32 });
    expect(host.figures.chunks).toBe(1);
    for (const id of kept) expect(page(host, movedTo.get(id) ?? id).every((byte) => byte === (id & 0xff))).toBe(true);
  });

  test('readies chunks ahead of need, deals them out as others, and gives back what was not needed', () => {
    const { host, account } = oneMachine();
    expect([host.readyChunk(), host.readyChunk(), host.readyChunk()]).toEqual([true, true, true]);
    expect(host.figures).toMatchObject({ chunks: 3, freePages: 3 * PAGES_PER_CHUNK, allocatedPages: 0 });
    const ids = allocate(account, PAGES_PER_CHUNK);
    expect(host.figures.chunks).toBe(3);
    expect(ids.every((id) => page(host, id).every((byte) => byte === 0))).toBe(true);
    host.trim();
    expect(host.figures.chunks).toBe(1);
    host.limitChunks(0);
    expect(host.readyChunk()).toBe(false);
  });

  test('keeps two empty chunks and gives the others back', () => {
    const { host, account } = oneMachine();
    account.freePages('base', allocate(account, 4096));
    expect(host.figures.chunks).toBe(2);
    host.trim();
    expect(host.figures.chunks).toBe(0);
  });
});
