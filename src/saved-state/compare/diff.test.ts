import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FormatError, UsageError } from '../../../formats/errors.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { naiveMemory, naivePages } from '../../testing/naive-pages.ts';
import { qemuSample } from '../../testing/qemu-samples.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { type ConvertRun, convert } from '../convert/convert.ts';
import { diffStates } from './diff.ts';

const read = (name: string) => readFileSync(join(STATES_FOLDER, name));
const plain = read('own-long.sav');
const diff = (a: Uint8Array, b: Uint8Array) => diffStates(bufferSource(a), bufferSource(b));

async function converted(bytes: Buffer, run: ConvertRun): Promise<Buffer> {
  const sink = new MemorySink();
  await convert(bufferSource(bytes), sink, { ...run, allowLoss: true, proof: false });
  return Buffer.from(sink.view());
}

describe('diffStates()', () => {
  it('finds a state equal to itself, in any container, any version with lists of ranges, and flattened', async () => {
    expect(await diff(plain, plain)).toMatchObject({ equal: true, notes: [] });
    expect(await diff(plain, await converted(plain, { container: '1.2', pgm: 13 }))).toMatchObject({ equal: true });
    expect(await diff(plain, await converted(plain, { container: '1.1', pgm: 10, compression: 'none' }))).toMatchObject(
      { equal: true },
    );
    expect(await diff(plain, await converted(plain, { container: '1.1', compression: 'none' }))).toMatchObject({
      equal: true,
      fields: [],
    });
    // The same container: pages are compared as they are stored, and here all of them are stored in other ways.
    const recompressed = await converted(plain, { recompress: true });
    const raw = await converted(plain, { pgm: 13, compression: 'none' });
    for (const other of [recompressed, raw]) {
      expect(other.length).not.toBe(plain.length);
      expect(await diff(plain, other)).toMatchObject({ equal: true, memory: [] });
    }
    const live = read('own-long-live.sav');
    const flat = await converted(live, { flatten: true });
    expect(await diff(live, flat)).toMatchObject({ equal: true, notes: [expect.stringContaining('live')] });
  });

  it('finds a stream equal to itself in an image of libvirt; domains of two images are compared', async () => {
    const image = qemuSample('virsh-raw-10.save');
    const stream = image.subarray(image.indexOf('QEVM'));
    expect(await diff(image, stream)).toMatchObject({
      equal: true,
      fields: [],
      notes: [expect.stringContaining('domain')],
    });
    const other = Buffer.from(image);
    other[image.indexOf('<name>') + '<name>'.length] ^= 1;
    expect((await diff(image, other)).fields.map(({ field }) => field)).toEqual(['domain']);
  });

  it('finds exactly the pages that differ, as a naive reading does', async () => {
    for (const [a, b] of [
      ['own-long.sav', 'own-pae.sav'],
      ['own-long.sav', 'own-long-live.sav'],
    ]) {
      const own = naiveMemory(naivePages(read(a)));
      const other = naiveMemory(naivePages(read(b)));
      const truth = [...own]
        .filter(([key, page]) => key.startsWith('RAM') && !other.get(key)?.content.equals(page.content))
        .map(([key]) => Number(key.slice(4)));
      const ram = (await diff(read(a), read(b))).memory.find(({ range }) => range === 'RAM');
      const found =
        ram?.runs.flatMap(({ from, to }) => Array.from({ length: (to - from) / 4096 }, (_, i) => from + i * 4096)) ??
        [];
      expect(found).toEqual(truth.sort((x, y) => x - y));
      expect((ram?.changed ?? 0) + (ram?.filled ?? 0) + (ram?.cleared ?? 0)).toBe(truth.length);
    }
  });

  it('names units that are gone, added, or changed, and fields', async () => {
    const units = splitUnits(plain);
    const fewer = joinUnits(
      units.filter(({ name }) => name !== 'GCM'),
      plain,
    );
    expect((await diff(plain, fewer)).units).toEqual({ added: [], gone: ['GCM/0 final'], changed: [] });
    expect((await diff(fewer, plain)).units).toEqual({ added: ['GCM/0 final'], gone: [], changed: [] });
    const mm = units.map((unit) => (unit.name === 'mm' ? { ...unit, version: 3 } : unit));
    expect((await diff(plain, joinUnits(mm, plain))).units).toEqual({ added: [], gone: [], changed: ['mm/1 final'] });
    const { fields, equal } = await diff(plain, read('own-pae.sav'));
    expect(equal).toBe(false);
    expect(fields.map(({ field }) => field)).toContain('cpus[0].registers.rbp');
  });

  it('refuses damaged states, and pipes', async () => {
    const damaged = Buffer.from(plain);
    damaged[100_000] ^= 1;
    await expect(diff(plain, damaged)).rejects.toBeInstanceOf(FormatError);
    await expect(diffStates({ ...bufferSource(plain), seekable: false }, bufferSource(plain))).rejects.toBeInstanceOf(
      UsageError,
    );
  });
});
