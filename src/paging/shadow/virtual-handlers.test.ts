import { beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { GuestMemory } from '../../pgm/guest-memory.ts';
import { HandlerState } from '../../pgm/pages/page-states.ts';
import { readSimple } from '../../pgm/simple-access.ts';
import { checkPool } from './checks/pool-check.ts';
import { ShadowPaging } from './shadow-paging.ts';
import type { VirtualHandler } from './virtual-handlers.ts';

let memory: GuestMemory;
let paging: ShadowPaging;
let calls: string[];

beforeEach(() => {
  memory = new GuestMemory();
  memory.registerRam(0, 1 << 20, 'Base RAM');
  // 32-bit: a directory at 0x1000, a table at 0x2000 for 0 to 4 MiB; virtual page n is physical page 0x10 + n, page 8
  // is an alias of page 0.
  memory.writeU32(0x1000, 0x2067);
  for (let i = 0; i < 8; i++) memory.writeU32(0x2000 + 4 * i, 0x10067 + i * 0x1000);
  memory.writeU32(0x2020, 0x10067);
  paging = new ShadowPaging(memory, { host: 'AMD64+NX', hardware: false });
  paging.cpus[0].setRegisters({ cr0: 0x80000001n, cr3: 0x1000n, cr4: 0n, efer: 0n });
  calls = [];
});

function watch(
  kind: 'write' | 'all',
  start: bigint,
  end: bigint,
  answer: 'done' | 'default' = 'default',
): VirtualHandler {
  const handler: VirtualHandler = {
    kind,
    start,
    end,
    description: `${kind} ${start}`,
    callback: (access, address, bytes) => {
      calls.push(`${access} ${address.toString(16)} ${bytes.length}`);
      if (access === 'read' && answer === 'done') bytes.fill(0xee);
      return answer;
    },
    invalidate: (address) => calls.push(`invalidate ${address.toString(16)}`),
  };
  paging.virtualHandlers.register(handler);
  return handler;
}

const write = (address: bigint, ...bytes: number[]) =>
  expect(paging.cpus[0].write(address, Uint8Array.from(bytes))).toBe(-1);
/** Bytes that memory holds, past the handlers. */
function stored(gcPhys: number, size: number): number[] {
  const bytes = new Uint8Array(size);
  readSimple(memory, gcPhys, bytes);
  return [...bytes];
}
function read(address: bigint): number {
  const bytes = new Uint8Array(1);
  expect(paging.cpus[0].read(address, bytes)).toBe(-1);
  return bytes[0];
}

describe('virtual handlers', () => {
  test('of writes see writes at their addresses, and at aliases by physical page', () => {
    write(0x1004n, 1);
    watch('write', 0x1004n, 0x100cn);
    write(0x1005n, 7, 8);
    write(0x1000n, 1);
    write(0x2000n, 1);
    expect(read(0x1005n)).toBe(7);
    expect(calls).toEqual(['write 1005 2']);
    watch('write', 0n, 0x1000n);
    write(0x8010n, 9);
    expect(calls.slice(1)).toEqual(['write 10 1']);
    expect(memory.readU32(0x10010)).toBe(9);
    expect(checkPool(paging)).toEqual([]);
  });

  test('of all accesses see reads, and may do them', () => {
    watch('all', 0x3000n, 0x4000n, 'done');
    expect(read(0x3010n)).toBe(0xee);
    write(0x3010n, 5);
    expect(stored(0x13010, 1)).toEqual([0]);
    expect(calls).toEqual(['read 3010 1', 'write 3010 1']);
    memory.readU32(0x13010);
    expect(calls.at(-1)).toBe('read 3010 4');
  });

  test('follow the guest’s tables at each sync, and tell that a page has gone', () => {
    watch('write', 0x3000n, 0x4000n);
    write(0x3000n, 1);
    expect(paging.virtualHandlers.stateOf(0x13)).toBe(HandlerState.WRITE);
    memory.writeU32(0x200c, 0x30067);
    paging.cpus[0].loadCr3(0x1000n);
    write(0x3000n, 2);
    expect(calls).toEqual(['write 3000 1', 'invalidate 3000', 'write 3000 1']);
    expect([paging.virtualHandlers.stateOf(0x13), paging.virtualHandlers.stateOf(0x30)]).toEqual([
      HandlerState.NONE,
      HandlerState.WRITE,
    ]);
    paging.cpus[0].invalidatePage(0x3abcn);
    expect(calls.at(-1)).toBe('invalidate 3abc');
  });

  test('are gone when they are taken out; others of the page stay', () => {
    watch('write', 0x1000n, 0x1010n);
    watch('write', 0x1010n, 0x1020n);
    write(0x1000n, 1);
    paging.virtualHandlers.deregister(0x1000n);
    write(0x1000n, 2);
    write(0x1010n, 3);
    expect(calls).toEqual(['write 1000 1', 'write 1010 1']);
    paging.virtualHandlers.deregister(0x1010n);
    write(0x1010n, 3);
    expect(calls.length).toBe(2);
    expect(paging.virtualHandlers.isActive).toBe(false);
    expect(() => paging.virtualHandlers.deregister(0x1010n)).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_INVALID_PARAMETER' }),
    );
  });

  test.each([
    ['that begins before the handler', 0x1008n, ['write 1010 8']],
    ['that ends after it', 0x1018n, ['write 1018 8']],
    ['over all of it', 0x1008n, ['write 1010 16'], 32],
    ['beside it', 0x1028n, []],
  ])('of a part of a page see of a write %s their own bytes, and memory gets the others', (_, at, seen, size = 16) => {
    watch('write', 0x1010n, 0x1020n, 'done');
    write(at, ...Array(size).fill(7));
    expect(calls).toEqual(seen);
    const taken = (offset: number) => offset >= 0x10 && offset < 0x20;
    const from = Number(at) % PAGE_SIZE;
    expect(stored(0x11000 + from, size)).toEqual(Array.from({ length: size }, (_, i) => (taken(from + i) ? 0 : 7)));
  });

  test('see a write of a device; of several handlers, each sees its own bytes of one write', () => {
    watch('write', 0x1010n, 0x1018n);
    watch('write', 0x1018n, 0x1020n, 'done');
    write(0x1000n, ...Array(64).fill(1));
    memory.write(0x11000, new Uint8Array(64).fill(2), 'device');
    expect(calls).toEqual(['write 1010 8', 'write 1018 8', 'write 1010 8', 'write 1018 8']);
    expect(stored(0x11000, 64)).toEqual(Array.from({ length: 64 }, (_, i) => (i >= 0x18 && i < 0x20 ? 0 : 2)));
  });

  test.each([
    ['done', 'default', 0],
    ['default', 'done', 0],
    ['default', 'default', 9],
  ] as const)('come after physical handlers of the same bytes: %s, then %s', (physical, virtual, written) => {
    watch('write', 0x1008n, 0x1010n, virtual);
    memory.handlers.register({
      kind: 'write',
      start: 0x1100c,
      end: 0x11014,
      description: 'physical',
      callback: (_, gcPhys, bytes) => {
        calls.push(`physical ${gcPhys.toString(16)} ${bytes.length}`);
        return physical;
      },
    });
    write(0x1000n, ...Array(32).fill(9));
    expect(calls).toEqual(['write 1008 4', 'physical 1100c 4', 'write 100c 4', 'physical 11010 4']);
    const bytes = stored(0x11000, 32);
    expect([bytes[0], bytes[0xc], bytes[0x14]]).toEqual([9, written, 9]);
  });

  test('take nothing from pages with device registers', () => {
    memory.mmio.register(0x11000, PAGE_SIZE, 'device', () => {
      calls.push('device');
      return 'done';
    });
    watch('all', 0x1000n, 0x2000n);
    write(0x1000n, 1);
    read(0x1000n);
    expect(calls).toEqual(['device', 'device']);
  });

  test('that watch the same bytes are chained; those that overlap in part are found by their address', () => {
    watch('write', 0n, 0x1000n);
    watch('write', 0x8000n, 0x9000n);
    write(0n, 1);
    memory.write(0x10123, Uint8Array.of(1), 'device');
    expect(calls.at(-1)).toBe('write 123 1');
    paging.virtualHandlers.deregister(0n);
    write(0x20n, 1);
    expect(calls.at(-1)).toBe('write 8020 1');
    watch('write', 0x10n, 0x20n);
    write(0x20n, 1);
    expect(calls.at(-1)).toBe('write 8020 1');
    write(0x12n, 1);
    expect(calls.at(-1)).toBe('write 12 1');
  });

  test('are checked; hypervisor handlers live apart', () => {
    watch('write', 0x1000n, 0x2000n);
    const callback = () => 'done' as const;
    for (const [kind, start, end, code] of [
      ['write', 0x1800n, 0x2800n, 'VERR_PGM_HANDLER_VIRTUAL_CONFLICT'],
      ['write', 0x3000n, 0x3000n, 'VERR_INVALID_PARAMETER'],
      ['all', 0x3000n, 0x3010n, 'VERR_NOT_IMPLEMENTED'],
      ['hypervisor', 0x3000n, 0x4000n, 'VERR_INVALID_PARAMETER'],
    ] as const) {
      expect(() => paging.virtualHandlers.register({ kind, start, end, description: 'x', callback })).toThrow(
        expect.objectContaining({ vboxCode: code }),
      );
    }
    paging.virtualHandlers.register({ kind: 'hypervisor', start: 0x1000n, end: 0x2000n, description: 'stack guard' });
    expect(paging.virtualHandlers.findHypervisor(0x1fffn)?.description).toBe('stack guard');
    expect(() => paging.virtualHandlers.changeInvalidate(0x9000n, undefined)).toThrow();
    paging.virtualHandlers.changeInvalidate(0x1000n, undefined);
    paging.cpus[0].invalidatePage(0x1000n);
    expect(calls).toEqual([]);
    paging.virtualHandlers.deregister(0x1000n);
    paging.virtualHandlers.deregister(0x1000n);
    expect([paging.virtualHandlers.all, paging.virtualHandlers.hypervisor]).toEqual([[], []]);
  });
});
