import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError, SavkitError } from '../../../formats/errors.ts';
import { bufferSource, withBeside } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { naivePages } from '../../testing/naive-pages.ts';
import { naiveUnits } from '../../testing/naive-units.ts';
import { qemuSample, sampleSource } from '../../testing/qemu-samples.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { convert } from '../convert/convert.ts';
import { compareWithManifest } from './compare-manifest.ts';
import { makeManifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest-file.ts';

const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const live = readFileSync(join(STATES_FOLDER, 'own-long-live.sav'));

async function converted(container: '1.1' | '1.2', pgm: number): Promise<Buffer> {
  const sink = new MemorySink();
  await convert(bufferSource(plain), sink, { container, pgm, allowLoss: true, proof: false, compression: 'none' });
  return Buffer.from(sink.view());
}

const manifestOf = async (bytes: Uint8Array) =>
  decodeManifest(encodeManifest(await makeManifest(bufferSource(bytes)), 'msgpack'));
const compare = async (bytes: Uint8Array, was: Uint8Array) =>
  compareWithManifest(bufferSource(bytes), await manifestOf(was));

/** Pages that compress well: with a flipped bit the block may expand to the same bytes. */
function compressesWell(content: Buffer): boolean {
  return new Set(content).size < 64;
}

describe('a manifest', () => {
  it('knows the file that it was made of', async () => {
    for (const bytes of [plain, live])
      expect(await compare(bytes, bytes)).toEqual({ same: true, findings: [], droppedFindings: 0 });
  });

  it.each([
    ['V2.0', async () => plain],
    ['V1.2', () => converted('1.2', 14)],
    ['V1.1', () => converted('1.1', 11)],
  ])('names the page in which a bit of a %s state has flipped, and no other', async (_format, make) => {
    const bytes = await make();
    const manifest = await manifestOf(bytes);
    const pages = naivePages(bytes).filter(
      ({ key, content }) => key.startsWith('RAM') && content.some((byte) => byte !== 0) && !compressesWell(content),
    );
    for (const page of [pages[3], pages[Math.floor(pages.length / 2)], pages[pages.length - 2]]) {
      const damaged = Buffer.from(bytes);
      damaged[page.end - 7] ^= 1;
      const { same, findings } = await compareWithManifest(bufferSource(damaged), manifest);
      expect(same).toBe(false);
      const named = findings.filter(({ code }) => code === 'manifest-page').map(({ place }) => place.gcPhys);
      expect(named).toEqual([Number(page.key.slice(4))]);
      expect(findings).toContainEqual(
        expect.objectContaining({ code: 'manifest-unit', place: expect.objectContaining({ unit: 'pgm' }) }),
      );
    }
  });

  it('names the unit and the register that have changed', async () => {
    const damaged = Buffer.from(plain);
    const cpum = naiveUnits(plain).find(({ name }) => name === 'cpum');
    // CR2 of the only CPU: pgm-unit.md 10.2, version 24; the unit is stored raw.
    const at = (cpum?.pieces[0].start ?? 0) + 2 + 8 + 532 + 288;
    damaged[at] ^= 0x40;
    const { findings } = await compare(damaged, plain);
    expect(findings.filter(({ code }) => code === 'manifest-field').map(({ place }) => place.field)).toEqual([
      'cpus[0].registers.cr2',
    ]);
    expect(findings.filter(({ code }) => code === 'manifest-unit').map(({ place }) => place.unit)).toEqual(['cpum']);
  });

  it('names what a cut took', async () => {
    const { findings } = await compare(plain.subarray(0, 150_000), plain);
    expect(findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['manifest-size', 'manifest-page', 'manifest-unit']),
    );
  });

  it('tells the last copy of a page from older ones in a live save', async () => {
    const manifest = await manifestOf(live);
    const pages = naivePages(live);
    const twice = pages.find(
      ({ key, content }, i) =>
        content.some((byte) => byte !== 0) && pages.slice(i + 1).some((later) => later.key === key),
    );
    const damaged = Buffer.from(live);
    damaged[(twice?.end ?? 0) - 7] ^= 1;
    const { findings } = await compareWithManifest(bufferSource(damaged), manifest);
    expect(findings.filter(({ code }) => code === 'manifest-page')).toEqual([]);
    expect(findings).toContainEqual(
      expect.objectContaining({
        code: 'manifest-unit',
        place: expect.objectContaining({ unit: 'pgm', pass: twice?.pass }),
      }),
    );
  });

  it('is not made of a damaged state', async () => {
    const damaged = Buffer.from(plain);
    damaged[100_000] ^= 1;
    await expect(makeManifest(bufferSource(damaged))).rejects.toBeInstanceOf(FormatError);
  });
});

describe('a manifest file', () => {
  it('says the same in JSON and in msgpack', async () => {
    const manifest = await makeManifest(bufferSource(plain));
    for (const encoding of ['json', 'msgpack'] as const)
      expect(decodeManifest(encodeManifest(manifest, encoding))).toEqual(manifest);
  });

  it('is refused when its hashes do not give its root', async () => {
    const manifest = await makeManifest(bufferSource(plain));
    manifest.memory.ranges[0].runs[0].hashes[0] ^= 1n;
    await expect(compareWithManifest(bufferSource(plain), manifest)).rejects.toMatchObject({ code: 'bad-manifest' });
  });

  it('is refused before it is unpacked when it is a bomb, and when it contradicts itself', async () => {
    const list32 = (count: number) => [0xdd, count >>> 24, (count >>> 16) & 255, (count >>> 8) & 255, count & 255];
    const msgpack = (...bytes: number[]) => Buffer.from([0x81, 0xa1, 0x61, ...bytes]);
    const maps = Buffer.concat([msgpack(...list32(2_000_000)), Buffer.alloc(2_000_000, 0x80)]);
    const nested = msgpack(...Array.from({ length: 12 }, () => list32(100_000_000)).flat(), 0xc0);
    const json = Buffer.from(`{"a":[${'[],'.repeat(1_000_000)}[]]}`);
    for (const bomb of [maps, nested, json, Buffer.from(`{"a":${'['.repeat(100_000)}`)])
      expect(() => decodeManifest(bomb)).toThrow(expect.objectContaining({ code: 'bad-manifest' }));
    const manifest = await makeManifest(bufferSource(plain));
    const [first, ...rest] = manifest.units;
    const overlapping = { ...manifest, units: [{ ...first, size: 2 ** 40 }, ...rest] };
    expect(() => decodeManifest(encodeManifest(overlapping, 'json'))).toThrow(
      'units is not a list of units that follow each other',
    );
    const prototype = { ...manifest, fields: JSON.parse('{"__proto__":"a field"}') };
    expect(() => decodeManifest(encodeManifest(prototype, 'json'))).toThrow('fields is not a table of names');
    manifest.memory.ranges[0].runs.push({ page: 2 ** 40, hashes: BigUint64Array.of(1n) });
    expect(() => decodeManifest(encodeManifest(manifest, 'json'))).toThrow(
      'memory.ranges[0].runs[1] is not a run of pages',
    );
  });

  it('ends in a manifest or a SavkitError, whatever is done to it', async () => {
    const good = encodeManifest(await makeManifest(bufferSource(plain)), 'msgpack');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, change, cut) => {
        const bad = Buffer.from(good.subarray(0, cut ? at : good.length));
        if (!cut) bad[at] ^= change;
        try {
          decodeManifest(bad);
        } catch (error) {
          expect(error).toBeInstanceOf(SavkitError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('compareWithManifest()', () => {
  it('takes a state that was written anew for the same memory', async () => {
    const again = joinUnits(splitUnits(plain), plain);
    const { same, findings } = await compare(again, plain);
    expect(findings.filter(({ code }) => code === 'manifest-page' || code === 'manifest-field')).toEqual([]);
    expect(same).toBe(again.equals(plain));
  });

  it('names the page that has changed in the file of RAM beside the same state', async () => {
    const name = 'ignore-shared-10.state';
    const manifest = await makeManifest(sampleSource(name));
    expect(await compareWithManifest(sampleSource(name), manifest)).toMatchObject({ same: true, findings: [] });
    const ram = qemuSample('ignore-shared-10.ram');
    ram[0x11170] ^= 1;
    const beside = { ram: [{ source: bufferSource(ram) }] };
    const changed = await compareWithManifest(withBeside(sampleSource(name), beside), manifest);
    expect(changed.same).toBe(false);
    expect(changed.findings.map(({ code, message }) => [code, message])).toEqual([
      ['manifest-page', 'Page 0x11000 of RAM is not as it was'],
    ]);
    await expect(compareWithManifest(bufferSource(qemuSample(name)), manifest)).rejects.toMatchObject({
      code: 'ram-elsewhere',
    });
  });

  it('tells one state of a disk image from another one in the same image', async () => {
    const image = bufferSource(qemuSample('snap-10.qcow2'));
    const manifest = await makeManifest(withBeside(image, { part: 'snap2' }));
    expect((await compareWithManifest(withBeside(image, { part: 'snap2' }), manifest)).same).toBe(true);
    const other = await compareWithManifest(withBeside(image, { part: 'snap1' }), manifest);
    expect(other.same).toBe(false);
    expect(other.findings.map(({ code }) => code)).toContain('manifest-page');
  });
});
