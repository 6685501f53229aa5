import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource, openFile } from '../../formats/files/source.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import type { PageTypeNumbering } from '../../formats/pgm/old-ranges.ts';
import { PGM_VERSIONS } from '../../formats/pgm/versions.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { ContainerFormat } from '../../formats/ssm/container.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { diffStates } from '../saved-state/compare/diff.ts';
import { convert } from '../saved-state/convert/convert.ts';
import { deriveLayout, type MachineLayout } from '../saved-state/layout/machine-layout.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { type Sample, STATES_FOLDER, samplesIn, sha256 } from '../testing/states.ts';
import { poke } from './edit.ts';
import { proveEdit } from './edit-proof.ts';
import { type LoadOptions, loadState } from './load.ts';
import type { Machine } from './machine.ts';
import { saveState } from './save.ts';

async function load(sample: Sample, options?: LoadOptions): Promise<Machine> {
  const source = await openFile(sample.path);
  try {
    return await loadState(source, options);
  } finally {
    await source.close();
  }
}

async function save(machine: Machine): Promise<Uint8Array> {
  const sink = new MemorySink();
  await saveState(machine, sink);
  return sink.view();
}

function pagesOf(machine: Machine, ids: Iterable<number>): Uint8Array {
  const { backing } = machine.memory.pages;
  const list = [...ids];
  const bytes = new Uint8Array(list.length * PAGE_SIZE);
  for (const [i, id] of list.entries())
    if (id !== 0)
      bytes.set(backing.chunkBytes(id).subarray(offsetInChunk(id), offsetInChunk(id) + PAGE_SIZE), i * PAGE_SIZE);
  return bytes;
}

for (const sample of samplesIn(STATES_FOLDER)) {
  const { truth } = sample;

  describe(`loadState() and saveState() of ${sample.name}`, () => {
    it('hold the RAM, ROM and device memory that VirtualBox had', async () => {
      const { memory } = await load(sample);
      const ram = new Uint8Array(Number(truth.ram.low.end));
      for (const range of memory.ranges) {
        for (let page = 0; range.kind === 'ram' && page < range.pages; page++)
          ram.set(memory.pages.contentOf(range, page), range.addressOf(page));
      }
      expect(sha256(ram)).toBe(truth.ram.low.sha256);
    });

    it('give each ROM: its own pages, its shadow, what the guest reads', async () => {
      const machine = await load(sample);
      for (const { description, virginSha256, shadowSha256, visibleSha256 } of truth.rom) {
        const rom = machine.memory.roms.all.find((each) => each.description === description);
        if (!rom) throw new Error(`there is no ${description}`);
        expect(sha256(pagesOf(machine, rom.virginId))).toBe(virginSha256);
        const shadow = Array.from({ length: rom.pages }, (_, page) => rom.shadowId(page));
        if (shadowSha256) expect(sha256(pagesOf(machine, shadow))).toBe(shadowSha256);
        const seen = new Uint8Array(rom.end - rom.start);
        machine.memory.read(rom.start, seen);
        expect(sha256(seen)).toBe(visibleSha256);
      }
    });

    it('give device memory, mapped where the guest had it', async () => {
      const machine = await load(sample);
      for (const { device, instance, region, sha256: expected, mappedAt } of truth.mmio2) {
        const mmio2 = machine.memory.mmio2.get(device, instance, region);
        expect(sha256(pagesOf(machine, mmio2.pageId))).toBe(expected);
        expect(mmio2.address).toBe(mappedAt === undefined ? undefined : Number(mappedAt));
      }
    });

    it('count pages alike, whether their contents are kept or only judged', async () => {
      const [kept, judged] = await Promise.all([load(sample), load(sample, { contents: 'judged' })]);
      expect(judged.statistics.list('*')).toEqual(kept.statistics.list('*'));
      const { ranges, pages } = judged.memory;
      const [low] = ranges.all;
      for (let page = 0; page < low.pages; page++) expect(isZero(pages.contentOf(low, page), 0, PAGE_SIZE)).toBe(true);
    });

    it('are identity: nothing differs but the live passes', async () => {
      const machine = await load(sample);
      const source = await openFile(sample.path);
      const written = await save(machine);
      expect(await diffStates(source, bufferSource(written))).toMatchObject({ equal: true });
      await source.close();
      const again = await save(await loadState(bufferSource(written)));
      expect(Buffer.compare(again, written)).toBe(0);
    });

    it('change what was written, and nothing else', async () => {
      const machine = await load(sample);
      const written = Uint8Array.from({ length: PAGE_SIZE + 10 }, (_, i) => i + 1);
      machine.memory.write(0x2ffb0, written);
      const source = await openFile(sample.path);
      const diff = await diffStates(source, bufferSource(await save(machine)));
      await source.close();
      expect(diff.units).toEqual({ added: [], gone: [], changed: [] });
      expect(diff.fields).toEqual([]);
      expect(diff.memory.map(({ range, runs }) => [range, runs.map(({ from, to }) => [from, to])])).toEqual([
        ['RAM', [[0x2f000, 0x31000]]],
      ]);
    });
  });
}

describe('loadState() and saveState() of all versions', () => {
  const sample = samplesIn(STATES_FOLDER).find(({ name }) => name === 'own-long') as Sample;

  async function converted(
    pgm: number,
    container: ContainerFormat,
    pageTypes: PageTypeNumbering = 'original',
  ): Promise<Uint8Array> {
    const source = await openFile(sample.path);
    const sink = new MemorySink();
    await convert(source, sink, {
      pgm,
      container,
      pageTypes,
      allowLoss: true,
      proof: false,
      layout: await layoutOf(source),
    });
    await source.close();
    return sink.view();
  }

  /** The state's layout; device memory that the guest had not mapped lies where there is nothing. */
  async function layoutOf(source: ByteSource): Promise<MachineLayout> {
    const state = await walkState(source);
    const mmio2 = (state.pgm?.config?.mmio2 ?? []).map(({ device, instance, region, description, size }, i) => {
      return { name: description, device, instance, region, size, address: 0xf000_0000 + i * 0x100_0000 };
    });
    return { ...deriveLayout(state).layout, mmio2 };
  }

  const containers = ['1.1', '1.2', '2.0'] as const;
  for (const { version } of PGM_VERSIONS) {
    const container = containers[version % containers.length];
    it(`are identity for pgm ${version}, here in V${container}`, async () => {
      const state = await converted(version, container);
      const written = await save(await loadState(bufferSource(state)));
      expect(await diffStates(bufferSource(state), bufferSource(written))).toMatchObject({ equal: true, notes: [] });
      expect(await walkState(bufferSource(written))).toMatchObject({ pgm: { version }, header: { format: container } });
    });
  }

  it('keep the numbers of page types that loaders since 4.3 want', async () => {
    const state = await converted(8, '1.2', '4.3');
    const written = await save(await loadState(bufferSource(state)));
    expect(await diffStates(bufferSource(state), bufferSource(written))).toMatchObject({ equal: true });
    expect((await walkState(bufferSource(written))).pgm?.pageTypes).toBe('4.3');
  });

  for (const pgm of [6, 9]) {
    it(`write bytes into pgm ${pgm}, and nothing else`, async () => {
      const state = await converted(pgm, '1.2');
      const machine = await loadState(bufferSource(state));
      poke(machine.memory, 0x2fff0, new Uint8Array(0x20).fill(0xa5));
      const written = await save(machine);
      const proof = await proveEdit(bufferSource(state), bufferSource(written), machine, [
        { start: 0x2fff0, end: 0x30010 },
      ]);
      expect(proof).toEqual({ holds: true, changedPages: 2, differences: [] });
    });
  }
});

it('a machine with a balloon gets no turn while its state without pages is written: it would write', async () => {
  const machine = await emptyMachine(4 * MIB);
  machine.memory.balloon.inflate([PAGE_SIZE]);
  let hasHadTurn = false;
  const later = setImmediate(() => {
    hasHadTurn = true;
  });
  await saveState(machine, new MemorySink(), { contents: false });
  expect(hasHadTurn).toBe(false);
  clearImmediate(later);
});
