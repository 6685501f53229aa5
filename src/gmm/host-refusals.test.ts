import { describe, expect, test } from 'vitest';
import { HostMemory } from './host-memory.ts';
import { type HostMemoryCode, HostMemoryError } from './host-memory-error.ts';
import { CHUNK_ID_SHIFT, LAST_PAGE_ID, PAGES_PER_CHUNK } from './page-id.ts';
import { allocate, machineOn, oneMachine, PAGES } from './testing/one-machine.ts';

describe('a refusal', () => {
  /** By savkit's code: VirtualBox's, and what provokes it. */
  const cases: Record<HostMemoryCode, [string, () => void]> = {
    'invalid-parameter': [
      'VERR_INVALID_PARAMETER',
      () => new HostMemory().openAccount().reserve({ base: 0, shadow: 1, fixed: 1 }, 'no-over-commitment', 'low'),
    ],
    'wrong-order': ['VERR_WRONG_ORDER', () => allocate(new HostMemory().openAccount(), 1)],
    'no-memory': [
      'VERR_NO_MEMORY',
      () => {
        const { host, account } = oneMachine();
        host.limitChunks(1);
        allocate(account, PAGES_PER_CHUNK + 1);
      },
    ],
    'seed-me': ['VERR_GMM_SEED_ME', () => allocate(oneMachine({ seeded: true }).account, 1)],
    'global-limit': [
      'VERR_GMM_HIT_GLOBAL_LIMIT',
      () => {
        const host = new HostMemory({ maxPages: 3000 });
        const [a, b] = [host.openAccount(), host.openAccount()];
        for (const account of [a, b]) account.reserve({ base: 2000, shadow: 1, fixed: 1 }, 'to-be-decided', 'normal');
        allocate(a, 2000);
        allocate(b, 1001);
      },
    ],
    'account-limit': [
      'VERR_GMM_HIT_VM_ACCOUNT_LIMIT',
      () => oneMachine().account.allocatePages('shadow', new Uint32Array(17)),
    ],
    'free-too-much': [
      'VERR_GMM_ATTEMPT_TO_FREE_TOO_MUCH',
      () => {
        const { account } = oneMachine();
        account.freePages('base', new Uint32Array([...allocate(account, 1), 5]));
      },
    ],
    'deflate-too-much': ['VERR_GMM_ATTEMPT_TO_DEFLATE_TOO_MUCH', () => oneMachine().account.balloon('deflate', 1)],
    'page-not-found': [
      'VERR_GMM_PAGE_NOT_FOUND',
      () => {
        const { account } = oneMachine();
        allocate(account, 1);
        account.freePages('base', new Uint32Array([0x7ff << CHUNK_ID_SHIFT]));
      },
    ],
    'reservation-declined': [
      'VERR_GMM_MEMORY_RESERVATION_DECLINED',
      () => machineOn(new HostMemory({ maxPages: 4000 })),
    ],
    'page-not-private': [
      'VERR_GMM_PAGE_NOT_PRIVATE',
      () => {
        const { account } = oneMachine();
        const [id] = allocate(account, 1);
        account.sharePage(id);
        account.sharePage(id);
      },
    ],
    'page-not-shared': [
      'VERR_GMM_PAGE_NOT_SHARED',
      () => {
        const { account } = oneMachine();
        account.exchangeForShared(...(allocate(account, 2) as unknown as [number, number]));
      },
    ],
    'page-already-free': [
      'VERR_GMM_PAGE_ALREADY_FREE',
      () => {
        const { account } = oneMachine();
        const [, id] = allocate(account, 2);
        account.freePages('base', new Uint32Array([id, id]));
      },
    ],
    'not-page-owner': [
      'VERR_GMM_NOT_PAGE_OWNER',
      () => {
        const { host, account } = oneMachine();
        const other = machineOn(host);
        allocate(other, 1);
        other.freePages('base', allocate(account, 1));
      },
    ],
  };

  test.each(Object.entries(cases).map(([code, [vboxCode, provoke]]) => [vboxCode, code, provoke] as const))(
    '%s is %s',
    (vboxCode, code, provoke) => {
      expect(provoke).toThrow(expect.objectContaining({ code, vboxCode }));
      expect(provoke).toThrow(HostMemoryError);
    },
  );

  test('wrong-order: a second initial reservation; an update, a free or a balloon before the first', () => {
    const { host, account } = oneMachine();
    const early = host.openAccount();
    for (const provoke of [
      () => account.reserve(PAGES, 'no-over-commitment', 'high'),
      () => early.updateReservation(PAGES),
      () => early.freePages('base', new Uint32Array(0)),
      () => early.balloon('reset', 0),
    ])
      expect(provoke).toThrow(expect.objectContaining({ code: 'wrong-order' }));
  });

  test.each([0, LAST_PAGE_ID + 1, 0xffff_ffff, LAST_PAGE_ID])('page-not-found: page ID %i', (id) => {
    const { account } = oneMachine();
    allocate(account, 1);
    expect(() => account.freePages('base', new Uint32Array([id]))).toThrow(
      expect.objectContaining({ code: 'page-not-found' }),
    );
  });

  test('of allocation changes nothing', () => {
    const { host, account } = oneMachine();
    allocate(account, 100);
    const before = host.figures;
    expect(() => allocate(account, PAGES.base)).toThrow(expect.objectContaining({ code: 'account-limit' }));
    expect(host.figures).toEqual(before);
  });

  test('of freeing stops at the first bad page, with those before it freed', () => {
    const { account } = oneMachine();
    const [a, b, c] = allocate(account, 3);
    expect(() => account.freePages('base', new Uint32Array([a, a, b]))).toThrow(
      expect.objectContaining({ code: 'page-already-free' }),
    );
    expect(account.allocated.base).toBe(2);
    account.freePages('base', new Uint32Array([b, c]));
    expect(account.privatePages).toBe(0);
  });

  test('account-limit: ballooned pages count, and a reservation cannot fall below what is used', () => {
    const { account } = oneMachine();
    const ids = allocate(account, 4096);
    account.freePages('base', ids, 96);
    account.balloon('inflate', 96);
    expect(() => allocate(account, 1)).toThrow(expect.objectContaining({ code: 'account-limit' }));
    expect(() => account.updateReservation({ ...PAGES, base: 4095 })).toThrow(
      expect.objectContaining({ code: 'account-limit' }),
    );
    account.updateReservation({ ...PAGES, base: 4097 });
    expect(allocate(account, 1)).toHaveLength(1);
  });

  test('free-too-much: a balloon larger than the reservation; invalid-parameter: 2^20 pages at once', () => {
    const { account } = oneMachine();
    expect(() => account.balloon('inflate', 4097)).toThrow(expect.objectContaining({ code: 'free-too-much' }));
    expect(() => account.balloon('inflate', 2 ** 20)).toThrow(expect.objectContaining({ code: 'invalid-parameter' }));
  });
});
