import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WIDE } from '../../formats/binary/cursor.ts';
import { SavkitError } from '../../formats/errors.ts';
import { bufferSource, streamSource } from '../../formats/files/source.ts';
import { PageKind } from '../../formats/pgm/page-batch.ts';
import { GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { createContainer } from '../../formats/ssm/writing/create-container.ts';
import { stateWith } from '../../formats/testing/claimed-state.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { STATES_FOLDER } from '../testing/states.ts';
import { type LoadOptions, loadState } from './load.ts';
import { saveState } from './save.ts';

const state = readFileSync(join(STATES_FOLDER, 'own-pae.sav'));
const ROM = { id: 1, device: '', instance: 0, region: 0, description: 'BIOS', address: 0xf0000, size: 4 * PAGE_SIZE };
const VRAM = { id: 1, device: 'vga', instance: 0, region: 0, description: 'VRam', size: PAGE_SIZE };

async function refusal(bytes: Uint8Array): Promise<string> {
  const error = await loadState(bufferSource(bytes)).catch((cause: unknown) => cause);
  if (!(error instanceof SavkitError)) throw new Error(`there was no refusal, but ${error}`);
  return `${error.name} ${error.code}`;
}

describe('loadState()', () => {
  it('takes the state that the others are made from', async () => {
    const { memory } = await loadState(bufferSource(await stateWith({ roms: [ROM], mmio2: [VRAM] })));
    expect(memory.roms.all.length + memory.mmio2.all.length).toBe(2);
  });

  it('takes memory for what a state holds, not for what it claims', async () => {
    const bytes = await stateWith({ ramSize: 1024 * GIB });
    const before = process.memoryUsage.rss();
    const { memory } = await loadState(bufferSource(bytes));
    const last = memory.ranges.all.at(-1);
    expect(last?.end).toBe(1024 * GIB + 512 * MIB);
    expect(memory.readU32((last?.end ?? 0) - PAGE_SIZE)).toBe(0);
    // Descriptors of all pages would be 2.6 GB.
    expect(process.memoryUsage.rss() - before).toBeLessThan(256 * MIB);
  });

  it('writes what a state holds, not what it claims, and leaves out again what was left out', async () => {
    const page = new Uint8Array(PAGE_SIZE).fill(5);
    const bytes = await stateWith({ ramSize: 16 * GIB }, (pass) => {
      for (const [at, content] of [
        [1, page],
        [2, undefined],
        [3, page],
      ] as const)
        pass.putPage(content ? PageKind.RAM_RAW : PageKind.RAM_ZERO, at, 0, 0, content);
    });
    const machine = await loadState(bufferSource(bytes));
    machine.memory.write(3 * PAGE_SIZE, new Uint8Array(PAGE_SIZE));
    machine.memory.write(700 * PAGE_SIZE, Uint8Array.of(1));
    const told = new MemorySink();
    await saveState(machine, told, { leavesOutAgain: true });
    const kinds: [number, number][] = [];
    await walkState(bufferSource(told.view()), {
      sink: {
        take: (batch) => {
          for (let i = 0; i < batch.count; i++) kinds.push([batch.page[i], batch.kind[i]]);
        },
      },
    });
    expect(kinds).toEqual([
      [1, PageKind.RAM_RAW],
      [2, PageKind.RAM_ZERO],
      [3, PageKind.RAM_ZERO],
      [700, PageKind.RAM_RAW],
    ]);
  });

  it('refuses memory that does not fit together', async () => {
    expect(await refusal(await stateWith({ roms: [ROM, { ...ROM, id: 2, address: 0xf1000 }] }))).toBe(
      'FormatError bad-pgm',
    );
    expect(await refusal(await stateWith({ roms: [{ ...ROM, address: 2 ** 46 }] }))).toBe('FormatError bad-pgm');
    expect(await refusal(await stateWith({ mmio2: [VRAM, { ...VRAM, id: 2 }] }))).toBe('FormatError bad-pgm');
  });

  it('refuses more memory than any machine has, before it takes any', async () => {
    expect(await refusal(await stateWith({ ramSize: 2 ** 43 }))).toBe('UnsupportedError too-much-memory');
    expect(await refusal(await stateWith({ roms: [{ ...ROM, size: GIB }] }))).toBe('UnsupportedError too-much-memory');
    expect(await refusal(await stateWith({ mmio2: [{ ...VRAM, size: 8 * GIB }] }))).toBe(
      'UnsupportedError too-much-memory',
    );
    expect(await refusal(await stateWith({ ramSize: 0 }))).toBe('UnsupportedError no-ram');
  });

  it('refuses of a stranger more memory than was said, contents where there are to be none, and units that grow', async () => {
    const refused = async (bytes: Uint8Array, options: LoadOptions) =>
      (await loadState(bufferSource(bytes), options).catch((error) => error)).code;
    const plain = await stateWith({ roms: [ROM], mmio2: [VRAM] });
    const size = 4 * MIB + ROM.size + VRAM.size;
    expect(await refused(plain, { maxMemory: size, contents: 'refused', maxUnitBytes: 0 })).toBeUndefined();
    expect(await refused(plain, { maxMemory: size - 1 })).toBe('too-much-memory');
    const full = await stateWith({}, (pass) =>
      pass.putPage(PageKind.RAM_RAW, 1, 0, 0, new Uint8Array(PAGE_SIZE).fill(5)),
    );
    expect(await refused(full, { contents: 'refused' })).toBe('unexpected-content');
    const growing = await stateWith({}, undefined, [{ name: 'x', size: MIB }]);
    expect(await refused(growing, { maxUnitBytes: MIB })).toBeUndefined();
    expect(await refused(growing, { maxUnitBytes: MIB - 1 })).toBe('too-much-memory');
    expect(await refused(growing, { maxUnitBytes: Number.NaN })).toBe('too-much-memory');
    expect(await refused(plain, { maxMemory: Number.NaN })).toBe('too-much-memory');
  });

  it('takes balloons, and a page that comes in several kinds as the last one', async () => {
    const page = new Uint8Array(PAGE_SIZE).fill(5);
    const bytes = await stateWith({}, (pass) => {
      pass.putPage(PageKind.RAM_RAW, 1, 0, 0, page);
      pass.putPage(PageKind.RAM_BALLOONED, 1, 0, 0);
      pass.putPage(PageKind.RAM_BALLOONED, 2, 0, 0);
      pass.putPage(PageKind.RAM_RAW, 2, 0, 0, page);
      pass.putPage(PageKind.RAM_RAW, 3, 0, 0, page);
      pass.putPage(PageKind.RAM_ZERO, 3, 0, 0);
    });
    const { memory } = await loadState(bufferSource(bytes));
    expect(memory.pages.counts).toMatchObject({ ballooned: 1, private: 1 });
    expect([...memory.ranges.all[0].state.subarray(0, 4)]).toEqual([0, 4, 1, 0]);
  });

  it('refuses states without memory, and sources that cannot be read twice', async () => {
    const sink = new MemorySink();
    await createContainer(sink, '2.0', { hostBits: 64, widths: WIDE, live: false, registeredUnits: 0 }).finish();
    expect(await refusal(sink.view())).toBe('UnsupportedError no-memory-unit');
    const stream = streamSource(
      (async function* () {
        yield state;
      })() as unknown as NodeJS.ReadStream,
    );
    await expect(loadState(stream)).rejects.toMatchObject({ code: 'not-seekable' });
  });

  it('refuses what is cut off, and gives a machine or a refusal for any flipped bit', async () => {
    for (let i = 0; i < 12; i++) await refusal(state.subarray(0, Math.floor((state.length * i) / 12)));
    for (let i = 0; i < 40; i++) {
      const damaged = Buffer.from(state);
      damaged[Math.floor((state.length * i) / 40) + i] ^= 1 << (i % 8);
      const outcome = await loadState(bufferSource(damaged)).catch((error: unknown) => error);
      expect(outcome instanceof SavkitError || (outcome as object).constructor.name === 'Machine').toBe(true);
    }
  });
});
