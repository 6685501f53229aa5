import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../formats/binary/crc32.ts';
import { type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import type { Mmio2Range } from '../pgm/devices/mmio2-ranges.ts';
import { GuestMemory } from '../pgm/guest-memory.ts';
import { RomProtection } from '../pgm/pages/page-states.ts';
import { DirtyTracker } from './dirty-tracker.ts';
import { scansMmio2, takesMmio2 } from './mmio2-tracker.ts';
import { Mirror } from './testing/mirror.ts';

const ROM = 0xe2000;
const ROM_PAGES = 2;
const VRAM_PAGES = 4;
const MAPPED = 0xe000_0000;

function machine(): { memory: GuestMemory; vram: Mmio2Range; tracker: DirtyTracker } {
  const memory = new GuestMemory();
  memory.registerRam(0, 16 * PAGE_SIZE, 'Base RAM');
  memory.roms.register({
    start: ROM,
    size: ROM_PAGES * PAGE_SIZE,
    description: 'Net Boot ROM',
    isShadowed: true,
    image: new Uint8Array(5000).fill(0x11),
  });
  memory.roms.protect(ROM, ROM_PAGES * PAGE_SIZE, RomProtection.READ_RAM_WRITE_RAM);
  const vram = memory.mmio2.register({
    device: 'vga',
    instance: 0,
    region: 0,
    size: VRAM_PAGES * PAGE_SIZE,
    description: 'VRam',
  });
  return { memory, vram, tracker: new DirtyTracker(memory, 'test') };
}

/** Writes as a device does: by its pointer, so that nothing notes the write. */
function poke(memory: GuestMemory, { pageId }: Mmio2Range, page: number, offset: number, value: number): void {
  memory.pages.backing.chunkBytes(pageId[page])[offsetInChunk(pageId[page]) + offset] = value;
}

class Passes extends Mirror {
  /** Kinds and pages of each pass, those of RAM left out. */
  readonly passes: string[][] = [];
  readonly #tracker: DirtyTracker;

  constructor(tracker: DirtyTracker) {
    super();
    this.#tracker = tracker;
  }

  override take(batch: PageBatch): void {
    super.take(batch);
    for (let i = 0; i < batch.count; i++) {
      const name = Object.keys(PageKind).find((key) => PageKind[key as keyof typeof PageKind] === batch.kind[i]);
      if (!name?.startsWith('RAM')) this.passes.at(-1)?.push(`${name} ${batch.page[i]}`);
    }
  }

  async run(pass: number | 'final'): Promise<string[]> {
    this.passes.push([]);
    await this.#tracker.scan(pass);
    await this.#tracker.take(pass, this);
    return this.passes.at(-1) ?? [];
  }
}

describe('DirtyTracker, MMIO2', () => {
  it('sends zero pages in pass 2 and others in pass 3 or 4, as real live saves do', async () => {
    const { memory, vram, tracker } = machine();
    poke(memory, vram, 1, 0, 1);
    poke(memory, vram, 2, PAGE_SIZE - 1, 1);
    tracker.prepare();
    const passes = new Passes(tracker);
    await passes.run(0);
    expect(await passes.run(1)).toEqual([]);
    expect(await passes.run(2)).toEqual(['MMIO2_ZERO 0', 'MMIO2_ZERO 3']);
    expect(await passes.run(3)).toEqual(['MMIO2_RAW 1']);
    expect(await passes.run(4)).toEqual(['MMIO2_RAW 2']);
    expect(await passes.run('final')).toEqual([]);
    tracker.finish();
  });

  it('scans in passes 0 to 10 and every fourth, sends in passes 0 to 10 and two after each of these', () => {
    const passes = Array.from({ length: 21 }, (_, pass) => pass);
    expect(passes.filter(scansMmio2)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 20]);
    expect(passes.filter(takesMmio2)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 18]);
  });

  it('sends in the final pass what a device wrote after the last scan', async () => {
    const { memory, vram, tracker } = machine();
    tracker.prepare();
    const passes = new Passes(tracker);
    for (let pass = 0; pass < 6; pass++) await passes.run(pass);
    poke(memory, vram, 3, 100, 7);
    expect(await passes.run('final')).toEqual(['MMIO2_RAW 3']);
    tracker.finish();
  });

  it('sends in the final pass a page that has changed while its CRCs have not', async () => {
    const { memory, vram, tracker } = machine();
    poke(memory, vram, 0, 0, 1);
    tracker.prepare();
    const passes = new Passes(tracker);
    for (let pass = 0; pass < 6; pass++) await passes.run(pass);
    // Bits of the generator polynomial, anywhere in a half: the CRC stays.
    const bytes = memory.pages.backing.chunkBytes(vram.pageId[0]);
    const at = offsetInChunk(vram.pageId[0]) + 500;
    const crc = crc32(bytes);
    for (const [i, bits] of [0x41, 0x06, 0x71, 0xdb, 0x01].entries()) bytes[at + i] ^= bits;
    expect(crc32(bytes)).toBe(crc);
    expect(await passes.run('final')).toEqual(['MMIO2_RAW 0']);
    tracker.finish();
  });

  it('ends with equal memory whatever is written when, mapped or not', async () => {
    const step = fc.oneof(
      fc.record({
        page: fc.nat(VRAM_PAGES - 1),
        offset: fc.constantFrom(0, 7, 2047, 2048, 4095),
        value: fc.nat(2),
        through: fc.boolean(),
      }),
      fc.constant('pass' as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
        const { memory, vram, tracker } = machine();
        memory.mmio2.map('vga', 0, 0, MAPPED);
        tracker.prepare();
        const passes = new Passes(tracker);
        let pass = 0;
        for (const each of steps) {
          if (each === 'pass') await passes.run(pass++);
          else if (each.through) memory.write(MAPPED + each.page * PAGE_SIZE + each.offset, Uint8Array.of(each.value));
          else poke(memory, vram, each.page, each.offset, each.value);
        }
        await passes.run('final');
        tracker.finish();
        for (const [page, id] of vram.pageId.entries()) {
          const now = memory.pages.backing.chunkBytes(id).subarray(offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE);
          expect(Buffer.compare(passes.mmio2.get(`1:${page}`) ?? new Uint8Array(0), now)).toBe(0);
        }
        expect(tracker.counts.mmio2).toMatchObject({ dirty: 0, ready: VRAM_PAGES });
      }),
      { numRuns: 60 },
    );
  });
});

describe('DirtyTracker, ROM', () => {
  it('sends all virgin and all shadow pages in pass 0', async () => {
    const { tracker } = machine();
    tracker.prepare();
    const passes = new Passes(tracker);
    expect(await passes.run(0)).toEqual(['ROM_VIRGIN 0', 'ROM_VIRGIN 1', 'ROM_SHADOW_ZERO 0', 'ROM_SHADOW_ZERO 1']);
    expect(passes.virgin.get('1:1')?.slice(900, 908)).toEqual(Uint8Array.of(0x11, 0x11, 0x11, 0x11, 0, 0, 0, 0));
    expect(tracker.counts.rom).toMatchObject({ dirty: 0, ready: 2 * ROM_PAGES });
    tracker.finish();
  });

  it.each([
    ['CPU 0', 0],
    ['a device', 'device'],
  ] as const)(
    'sends a shadow page again that %s has written, when it has been left alone for a pass',
    async (_, origin) => {
      const { memory, tracker } = machine();
      tracker.prepare();
      const passes = new Passes(tracker);
      await passes.run(0);
      memory.write(ROM + PAGE_SIZE + 5, Uint8Array.of(9), origin);
      expect(await passes.run(1)).toEqual([]);
      expect((await passes.run(2)).filter((record) => record.startsWith('ROM'))).toEqual(['ROM_SHADOW_RAW 1']);
      expect(passes.shadow.get('1:1')?.content[5]).toBe(9);
      tracker.finish();
    },
  );

  it('sends a changed protection with the page, at the latest in the final pass', async () => {
    const { memory, tracker } = machine();
    tracker.prepare();
    const passes = new Passes(tracker);
    await passes.run(0);
    memory.roms.protect(ROM, PAGE_SIZE, RomProtection.READ_ROM_WRITE_RAM);
    expect((await passes.run('final')).filter((record) => record.startsWith('ROM'))).toEqual(['ROM_SHADOW_ZERO 0']);
    expect(passes.shadow.get('1:0')?.protection).toBe(RomProtection.READ_ROM_WRITE_RAM);
    tracker.finish();
  });

  it('sends pages again that were put back', async () => {
    const { tracker } = machine();
    tracker.prepare();
    const passes = new Passes(tracker);
    await tracker.scan(0);
    await tracker.take(0, {
      take: (batch) => tracker.putBack({ count: batch.count, kind: batch.kind, page: batch.page, id: batch.id }),
    });
    expect(await passes.run(1)).toEqual(['ROM_VIRGIN 0', 'ROM_VIRGIN 1', 'ROM_SHADOW_ZERO 0', 'ROM_SHADOW_ZERO 1']);
    tracker.finish();
  });
});
