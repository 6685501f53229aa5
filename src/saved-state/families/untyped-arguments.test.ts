import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { createContainer } from '../../../formats/ssm/writing/create-container.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { peek } from '../../machine/edit.ts';
import { loadState } from '../../machine/load.ts';
import { sampleSource } from '../../testing/qemu-samples.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { convert } from '../convert/convert.ts';
import { extract } from '../extract/extract.ts';
import { makeManifest } from '../manifest/manifest.ts';
import { encodeManifest } from '../manifest/manifest-file.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import { salvageQemu } from '../qemu-salvage/salvage-qemu.ts';
import { salvage } from '../salvage/salvage.ts';
import { patternOf } from '../search/pattern.ts';
import { searchMemory } from '../search/search-memory.ts';

// Callers in plain JavaScript, whom no compiler tells of a wrong word.

const STATE = readFileSync(join(STATES_FOLDER, 'own-pae.sav'));
// biome-ignore lint/suspicious/noExplicitAny: the wrong types are the point
const WRONG = 'nope' as any;
const state = () => bufferSource(STATE, 'a.sav');
const sink = () => new MemorySink();

describe('A word that is no choice is refused', () => {
  it.each<[string, () => unknown]>([
    ['extract', () => extract(state(), sink(), { format: WRONG })],
    ['convert to a container', () => convert(state(), sink(), { container: WRONG })],
    ['convert with a compression', () => convert(state(), sink(), { compression: WRONG })],
    ['convert with numbers of page types', () => convert(state(), sink(), { pageTypes: WRONG })],
    ['convertQemu', () => convertQemu(sampleSource('long-10.state'), sink(), { to: WRONG })],
    ['salvage', () => salvage(state(), sink(), { fill: WRONG })],
    ['salvageQemu', () => salvageQemu(sampleSource('long-10.state'), sink(), { fill: WRONG })],
    ['loadState', () => loadState(state(), { contents: WRONG })],
    ['encodeManifest', async () => encodeManifest(await makeManifest(state()), WRONG)],
    ['patternOf', async () => patternOf(WRONG, 'a')],
    ['createContainer', async () => createContainer(sink(), WRONG, (await loadState(state())).state.header)],
  ])('by %s', async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ name: 'UsageError', code: 'bad-value', message: /nope: expected / });
  });
});

describe('Addresses and lengths that are none are refused', () => {
  const ranges = [
    [Number.NaN, 4096],
    [-4096, 4096],
    [8192, 4096],
    [4096, 4096],
    [0, Number.POSITIVE_INFINITY],
    [0.5, 4096],
    ['0', '4096'],
    [0n, 4096n],
  ] as [number, number][];
  it.each(ranges)('by extract and searchMemory: from %s to %s', async (start, end) => {
    const refused = { name: 'UsageError', code: 'bad-range' };
    await expect(extract(state(), sink(), { range: { start, end } })).rejects.toMatchObject(refused);
    const searched = searchMemory(state(), patternOf('text', 'a'), { maxHits: 1, range: { start, end } });
    await expect(searched).rejects.toMatchObject(refused);
  });

  it('by peek and by memory', async () => {
    const { memory } = await loadState(state());
    for (const at of [-1, 0.5, Number.NaN, '0' as unknown as number, 0n as unknown as number])
      for (const read of [() => peek(memory, at, 4), () => memory.read(at, new Uint8Array(4))])
        expect(read).toThrow(expect.objectContaining({ code: 'invalid-parameter' }));
    for (const length of [-1, 0.5, Number.NaN, 1e15])
      expect(() => peek(memory, 0, length)).toThrow(expect.objectContaining({ code: 'bad-count' }));
    memory.close();
  });
});
