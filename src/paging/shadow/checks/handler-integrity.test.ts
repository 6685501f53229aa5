import { describe, expect, it } from 'vitest';
import { MIB } from '../../../../formats/sizes.ts';
import { GuestMemory } from '../../../pgm/guest-memory.ts';
import { ShadowPaging } from '../shadow-paging.ts';
import type { VirtualHandlers } from '../virtual-handlers.ts';
import { checkHandlers } from './handler-integrity.ts';

/** Two handlers whose second pages are the same physical page, and one of the hypervisor's; all is known. */
function watched(): { paging: ShadowPaging; handlers: VirtualHandlers } {
  const memory = new GuestMemory();
  memory.registerRam(0, 2 * MIB, 'Base RAM');
  for (let slot = 0; slot < 4; slot++) memory.writeU32(0x1000 + 4 * slot, 0x2000 + 0x67);
  for (let page = 0; page < 1024; page++) memory.writeU32(0x2000 + 4 * page, ((page % 64) << 12) | 0x67);
  const paging = new ShadowPaging(memory, { host: '32-bit', hardware: true });
  const handlers = paging.virtualHandlers;
  const callback = () => 'default' as const;
  handlers.register({ kind: 'write', start: 0x1_0010n, end: 0x1_2000n, description: 'one', callback });
  handlers.register({ kind: 'all', start: 0x41_1000n, end: 0x41_2000n, description: 'two', callback });
  handlers.register({ kind: 'hypervisor', start: 0x8000_0000n, end: 0x8000_1000n, description: 'three' });
  const [cpu] = paging.cpus;
  cpu.setRegisters({ cr0: 0x8000_0011n, cr3: 0x1000n, cr4: 0n, efer: 0n });
  cpu.reach(0x5000, 0);
  return { paging, handlers };
}

/** Each condition with what is planted, and what is then said. */
const PLANTED: Record<string, [plant: (handlers: VirtualHandlers) => void, finding: RegExp]> = {
  'a handler that ends before it starts': [
    ({ all }) => Object.assign(all[0], { end: 0n }),
    /virtual handler 0x10010 ends before it starts/,
  ],
  'the order of the tree, upwards': [
    ({ all }) => Object.assign(all[1], { start: 0x1_1000n }),
    /virtual handler 0x11000 starts before the end of the one below/,
  ],
  'the order of the tree, downwards': [
    ({ all }) => Object.assign(all[0], { end: 0x41_1001n }),
    /virtual handler 0x10010 ends after the start of the one above/,
  ],
  'the order of the hypervisor’s tree': [
    ({ hypervisor }) => Object.assign(hypervisor[0], { end: 0n }),
    /hypervisor handler 0x80000000 ends before it starts/,
  ],
  'the owner of a page': [({ registered }) => swapOwners(registered), /belongs to another handler/],
  'a page that is missing': [({ registered }) => registered[0].nodes.pop(), /the pages of one end at 0x11000/],
  'a page at the wrong place': [
    ({ registered }) => Object.assign(registered[0].nodes[0], { address: 0x1_0020n }),
    /a page of one starts at 0x10020, not at 0x10010/,
  ],
  'an offset within the page': [
    ({ registered }) => (registered[0].nodes[0].gcPhys = 0x1_0000),
    /page 0x10010 of one is known at another offset, 0x10000/,
  ],
  'a chain in the wrong place': [
    ({ cache }) => Object.assign(chainAt(cache, 0x10), { start: 0x1_1000, end: 0x1_1010 }),
    /are not within page 0x10000/,
  ],
  'chains that overlap': [
    ({ cache }) => {
      const chain = chainAt(cache, 0x11);
      (cache.pages.get(0x11) as object[]).push({ ...chain, start: 0x1_1800 });
    },
    /watched bytes at 0x11800 overlap those below/,
  ],
  'a chain without a head': [({ cache }) => chainAt(cache, 0x10).nodes.pop(), /watched bytes at 0x10010 have no head/],
  'an alias that stands there twice': [
    ({ cache }) => chainAt(cache, 0x11).nodes.push(chainAt(cache, 0x11).nodes[0]),
    /watched bytes at 0x11000 have an alias twice/,
  ],
  'the second alias of a chain, without a handler': [
    ({ cache }) => chainAt(cache, 0x11).nodes.push({ address: 0x7000n, size: 4096, gcPhys: 0x1_1000 }),
    /have an alias, 0x7000, without a handler/,
  ],
  'an alias of other bytes': [
    ({ cache }) => (chainAt(cache, 0x11).nodes[1].gcPhys = 0x1_2000),
    /of the bytes at 0x11000 watches others/,
  ],
};

function swapOwners(registered: VirtualHandlers['registered']): void {
  const [first, second] = registered as unknown as { nodes: unknown[] }[];
  [first.nodes, second.nodes] = [second.nodes, first.nodes];
}

function chainAt(cache: VirtualHandlers['cache'], frame: number) {
  const [chain] = cache.pages.get(frame) ?? [];
  return chain;
}

describe('checkHandlers()', () => {
  it('finds nothing where all is well', () => {
    const { paging, handlers } = watched();
    expect(checkHandlers(paging)).toEqual([]);
    expect(chainAt(handlers.cache, 0x11).nodes).toHaveLength(2);
    handlers.deregister(0x1_0010n);
    expect(checkHandlers(paging)).toEqual([]);
  });

  it.each(Object.entries(PLANTED))('finds %s', (_, [plant, said]) => {
    const { paging, handlers } = watched();
    plant(handlers);
    expect(checkHandlers(paging)).toEqual(expect.arrayContaining([expect.stringMatching(said)]));
  });

  it('finds a page that is marked, though nobody watches it, and one that is not', () => {
    const { paging, handlers } = watched();
    // The handler watches another page than is marked.
    const [node] = handlers.registered[0].nodes;
    node.gcPhys = 0x2_0010;
    const findings = checkHandlers(paging);
    expect(findings).toContain('page 0x10000 has virtual handler state 2, its handlers want 0');
    expect(findings).toContain('page 0x20000 has virtual handler state 0, its handlers want 2');
  });
});
