import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../../formats/sizes.ts';
import { GuestMemory } from '../guest-memory.ts';
import { checkIntegrity } from '../memory-integrity.ts';
import { HandlerState, PageType } from '../pages/page-states.ts';
import { bytesAt, refused } from '../testing/memory-checks.ts';
import type { HandlerAnswer, HandlerCallback, HandlerKind, PhysHandler } from './handler-list.ts';

/** RAM of 1 MiB, a log of what callbacks saw, and a way to make handlers that write into it. */
function newMachine() {
  const memory = new GuestMemory();
  const ram = memory.registerRam(0, MIB, 'Base RAM');
  const log: string[] = [];
  const logging =
    (name: string, answer: HandlerAnswer): HandlerCallback =>
    (access, gcPhys, bytes, origin) => {
      log.push(`${name} ${access} ${gcPhys.toString(16)}+${bytes.length} ${origin}`);
      return answer;
    };
  const register = (
    kind: HandlerKind,
    start: number,
    end: number,
    answer: HandlerAnswer = 'default',
    name: string = kind,
  ): PhysHandler => memory.handlers.register({ kind, start, end, description: name, callback: logging(name, answer) });
  return { memory, ram, log, register, logging };
}

describe('a physical handler', () => {
  it('of kind write sees writes only, and memory gets them when it answers default', () => {
    const { memory, log, register } = newMachine();
    register('write', 0x1010, 0x1020);
    memory.write(0x1010, Uint8Array.of(1, 2), 'device');
    expect(bytesAt(memory, 0x1010, 2)).toEqual([1, 2]);
    expect(log).toEqual(['write write 1010+2 device']);
  });

  it('that answers done has done the access', () => {
    const { memory, register } = newMachine();
    register('all', 0x1000, 0x2000, 'done');
    memory.write(0x1000, Uint8Array.of(1));
    const bytes = Uint8Array.of(7);
    memory.read(0x1000, bytes);
    expect([...bytes]).toEqual([7]);
    memory.handlers.deregister(0x1000);
    expect(bytesAt(memory, 0x1000, 1)).toEqual([0]);
  });

  it('sees writes cut at its borders and at pages', () => {
    const { memory, log, register } = newMachine();
    register('write', 0x1010, 0x1020, 'default', 'a');
    register('write', 0x1030, 0x2008, 'default', 'b');
    memory.write(0x1000, new Uint8Array(0x2000).fill(3));
    expect(log).toEqual(['a write 1010+16 0', 'b write 1030+4048 0', 'b write 2000+8 0']);
    expect(bytesAt(memory, 0x1000, 0x2000)).toEqual(Array(0x2000).fill(3));
  });

  it('may use memory and handlers itself', () => {
    const { memory } = newMachine();
    const callback: HandlerCallback = (_access, gcPhys, bytes) => {
      memory.handlers.deregister(0x1000);
      memory.write(gcPhys + 0x3000, bytes);
      return 'default';
    };
    memory.handlers.register({ kind: 'write', start: 0x1000, end: 0x2000, description: 'mirror', callback });
    memory.write(0x1004, Uint8Array.of(5));
    expect([bytesAt(memory, 0x1004, 1), bytesAt(memory, 0x4004, 1)]).toEqual([[5], [5]]);
    expect(memory.handlers.isRegistered(0x1004)).toBe(false);
  });

  it('is refused when it fits nowhere', () => {
    const { memory, register } = newMachine();
    refused(() => register('write', 0x1000, 0x1001), 'VERR_INVALID_PARAMETER');
    refused(() => register('all', 0x1000, 0x1800), 'VERR_INVALID_PARAMETER');
    refused(() => register('none' as HandlerKind, 0x1000, 0x2000), 'VERR_INVALID_PARAMETER');
    refused(
      () =>
        memory.handlers.register({
          kind: 'all',
          start: 0,
          end: 0x1000,
          description: '',
          callback: undefined as unknown as HandlerCallback,
        }),
      'VERR_INVALID_POINTER',
    );
    refused(() => register('write', 0xfffff0, 0x1000010), 'VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE');
    register('write', 0x1000, 0x1800);
    refused(() => register('write', 0x17f0, 0x1900), 'VERR_PGM_HANDLER_PHYSICAL_CONFLICT');
  });

  it('leaves its pages to the others when it goes', () => {
    const { memory, ram, register } = newMachine();
    register('write', 0x1000, 0x1800);
    register('write', 0x1800, 0x3800);
    memory.handlers.deregister(0x1800);
    expect([...ram.handler.subarray(0, 5)]).toEqual([0, HandlerState.WRITE, 0, 0, 0]);
    refused(() => memory.handlers.deregister(0x1800), 'VERR_PGM_HANDLER_NOT_FOUND');
    refused(() => memory.handlers.deregister(0x1001), 'VERR_PGM_HANDLER_NOT_FOUND');
  });

  it('moves, and is gone when it cannot', () => {
    const { memory, ram, log, register } = newMachine();
    register('write', 0x1000, 0x1800);
    memory.handlers.modify(0x1000, 0x3800, 0x4801);
    expect([...ram.handler.subarray(0, 6)]).toEqual([0, 0, 0, 2, 2, 0]);
    memory.write(0x4800, Uint8Array.of(1));
    expect(log).toEqual(['write write 4800+1 0']);
    refused(() => memory.handlers.modify(0x1000, 0, 0x10), 'VERR_PGM_HANDLER_NOT_FOUND');
    refused(() => memory.handlers.modify(0x3800, 0x10, 0x10), 'VERR_INVALID_PARAMETER');
    expect(memory.handlers.list.all).toEqual([]);
    register('write', 0x1000, 0x1800);
    refused(() => memory.handlers.modify(0x1000, 2 * MIB, 3 * MIB), 'VERR_PGM_HANDLER_PHYSICAL_NO_RAM_RANGE');
    register('write', 0x1000, 0x1800);
    register('write', 0x5000, 0x5800);
    refused(() => memory.handlers.modify(0x1000, 0x5700, 0x5900), 'VERR_PGM_HANDLER_PHYSICAL_CONFLICT');
    expect(memory.handlers.isRegistered(0x1000)).toBe(false);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('is split and joined', () => {
    const { memory, register, logging } = newMachine();
    register('write', 0x1000, 0x5000);
    memory.handlers.split(0x1000, 0x2345);
    expect(memory.handlers.list.all.map(({ start, end }) => [start, end])).toEqual([
      [0x1000, 0x2345],
      [0x2345, 0x5000],
    ]);
    refused(() => memory.handlers.split(0x1000, 0x1000), 'VERR_INVALID_PARAMETER');
    refused(() => memory.handlers.split(0x1000, 0x2345), 'VERR_INVALID_PARAMETER');
    refused(() => memory.handlers.split(0x1001, 0x1100), 'VERR_PGM_HANDLER_NOT_FOUND');
    memory.handlers.join(0x1000, 0x2345);
    expect(memory.handlers.list.all.length).toBe(1);
    register('write', 0x6000, 0x7000);
    refused(() => memory.handlers.join(0x1000, 0x6000), 'VERR_INVALID_PARAMETER');
    refused(() => memory.handlers.join(0x1000, 0x9000), 'VERR_PGM_HANDLER_NOT_FOUND');
    register('write', 0x5000, 0x6000);
    refused(() => memory.handlers.join(0x1000, 0x5000), 'VERR_ACCESS_DENIED');
    const other = logging('other', 'done');
    for (const start of [0x1000, 0x5000]) memory.handlers.changeCallback(start, other);
    memory.handlers.join(0x1000, 0x5000);
    expect(memory.handlers.list.get(0x1000)).toMatchObject({ end: 0x6000, callback: other });
    refused(() => memory.handlers.changeCallback(0x5000, other), 'VERR_PGM_HANDLER_NOT_FOUND');
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('can be off for a page, until it is reset', () => {
    const { memory, ram, log, register } = newMachine();
    register('all', 0x1000, 0x3000);
    memory.handlers.tempOff(0x1000, 0x2000);
    memory.write(0x2000, Uint8Array.of(1));
    expect([log, ram.handler[2]]).toEqual([[], HandlerState.DISABLED]);
    memory.handlers.reset(0x1000);
    memory.write(0x2000, Uint8Array.of(1));
    expect(log).toEqual(['all write 2000+1 0']);
    refused(() => memory.handlers.tempOff(0x1000, 0x3000), 'VERR_INVALID_PARAMETER');
    refused(() => memory.handlers.tempOff(0x2000, 0x2000), 'VERR_PGM_HANDLER_NOT_FOUND');
    refused(() => memory.handlers.reset(0x2000), 'VERR_PGM_HANDLER_NOT_FOUND');
    memory.mmio.register(2 * MIB, PAGE_SIZE, 'device', () => 'done');
    refused(() => memory.handlers.tempOff(2 * MIB, 2 * MIB), 'VERR_ACCESS_DENIED');
  });

  it('is applied again to all of its pages after loading', () => {
    const { memory, ram, register } = newMachine();
    register('write', 0x1000, 0x3000);
    ram.handler.fill(HandlerState.ALL);
    memory.handlers.reapply();
    expect([...ram.handler.subarray(0, 4)]).toEqual([0, 2, 2, 0]);
  });
});

describe('a page of MMIO', () => {
  const AT = 2 * MIB;
  const VRAM = 4 * MIB;

  function withVideoMemory() {
    const machine = newMachine();
    const { memory, logging } = machine;
    memory.mmio2.register({ device: 'vga', instance: 0, region: 0, size: 4 * PAGE_SIZE, description: 'VRam' });
    memory.mmio2.map('vga', 0, 0, VRAM);
    memory.mmio.register(AT, 2 * PAGE_SIZE, 'registers', logging('mmio', 'done'));
    return machine;
  }

  it('can show a page of device memory, until its handler is reset', () => {
    const { memory, log } = withVideoMemory();
    expect(memory.handlers.alias(AT, AT, VRAM + PAGE_SIZE)).toBe('aliased');
    memory.write(AT + 5, Uint8Array.of(9));
    expect([log, bytesAt(memory, VRAM + PAGE_SIZE + 5, 1)]).toEqual([[], [9]]);
    expect(memory.handlers.alias(AT, AT, VRAM + PAGE_SIZE)).toBe('already-aliased');
    expect(memory.handlers.alias(AT, AT, VRAM)).toBe('aliased');
    expect(bytesAt(memory, AT + 5, 1)).toEqual([0]);
    memory.handlers.reset(AT);
    memory.write(AT, Uint8Array.of(9));
    expect(log).toEqual(['mmio write 200000+1 0']);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('shows nothing else', () => {
    const { memory, register } = withVideoMemory();
    refused(() => memory.handlers.alias(AT, AT, 0x1000), 'VERR_PGM_PHYS_NOT_MMIO2');
    refused(() => memory.handlers.alias(AT, AT, 8 * MIB), 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS');
    refused(() => memory.handlers.alias(AT, AT + 2 * PAGE_SIZE, VRAM), 'VERR_INVALID_PARAMETER');
    register('all', 0x1000, 0x2000);
    refused(() => memory.handlers.alias(0x1000, 0x1000, VRAM), 'VERR_ACCESS_DENIED');
  });

  it('no longer shows device memory that is gone', () => {
    const { memory } = withVideoMemory();
    memory.handlers.alias(AT, AT, VRAM);
    memory.mmio2.deregister('vga', 0, 0);
    const range = memory.ranges.get(AT);
    expect([range.type[0], range.pageId[0]]).toEqual([PageType.MMIO, 0]);
    expect(checkIntegrity(memory)).toEqual([]);
  });

  it('is MMIO again when its handler goes', () => {
    const { memory } = withVideoMemory();
    memory.handlers.alias(AT, AT, VRAM);
    memory.mmio.deregister(AT, 2 * PAGE_SIZE);
    expect(memory.ranges.find(AT)).toBeUndefined();
    expect(checkIntegrity(memory)).toEqual([]);
  });
});
