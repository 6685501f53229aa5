import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bufferSource, openFile } from '../../formats/binary/source.ts';
import { MemoryTarget, type Sample, STATES_FOLDER, samplesIn, sha256 } from '../testing/states.ts';
import { type ExtractOptions, extract } from './extract.ts';

async function image(sample: Sample, options: ExtractOptions): Promise<Uint8Array> {
  const source = await openFile(sample.path);
  const target = new MemoryTarget();
  try {
    await extract(source, target, options);
  } finally {
    await source.close();
  }
  return target.bytes;
}

for (const sample of samplesIn(STATES_FOLDER)) {
  const { truth } = sample;
  const lowEnd = Number(truth.ram.low.end);

  describe(`extract() of ${sample.name}`, () => {
    it('gives RAM flat from address 0', async () => {
      const bytes = await image(sample, {});
      expect(bytes.length).toBe(lowEnd);
      expect(sha256(bytes)).toBe(truth.ram.low.sha256);
    });

    it('gives the same with holes', async () => {
      expect(sha256(await image(sample, { format: 'sparse' }))).toBe(truth.ram.low.sha256);
    });

    it('gives memory as the guest sees it', async () => {
      const bytes = await image(sample, { asSeen: true, range: { start: 0, end: lowEnd } });
      expect(sha256(bytes)).toBe(truth.ram.low.visibleSha256);
    });

    it('gives any range of addresses', async () => {
      const whole = await image(sample, {});
      const part = await image(sample, { range: { start: 0x1008, end: 0x1020 } });
      expect(part).toEqual(whole.subarray(0x1008, 0x1020));
    });

    it('gives each ROM: its own pages, its shadow, what the guest reads', async () => {
      for (const { description, virginSha256, shadowSha256, visibleSha256 } of truth.rom) {
        expect(sha256(await image(sample, { rom: description }))).toBe(virginSha256);
        expect(sha256(await image(sample, { rom: description, asSeen: true }))).toBe(visibleSha256);
        if (shadowSha256) expect(sha256(await image(sample, { rom: description, shadow: true }))).toBe(shadowSha256);
      }
    });

    it('gives each MMIO2 range, by name and by device', async () => {
      for (const { description, device, instance, region, sha256: expected } of truth.mmio2) {
        expect(sha256(await image(sample, { mmio2: description }))).toBe(expected);
        expect(sha256(await image(sample, { mmio2: `${device}/${instance}/${region}` }))).toBe(expected);
      }
    });

    it('gives the payload of every unit of every pass', async () => {
      for (const { name, instance, pass, payloadSha256 } of truth.units) {
        const sameName = truth.units.filter((unit) => unit.name === name && unit.instance === instance && unit.pass === pass);
        if (sameName.length > 1) continue;
        expect(sha256(await image(sample, { unit: `${name}/${instance}:${pass}` }))).toBe(payloadSha256);
      }
    });

    it('gives an ELF core whose memory is the same', async () => {
      const core = await image(sample, { format: 'elf' });
      const seen = await image(sample, { asSeen: true, range: { start: 0, end: lowEnd } });
      for (const { paddr, bytes } of loadSegments(core)) {
        if (paddr + bytes.length <= lowEnd) expect(sha256(bytes)).toBe(sha256(seen.subarray(paddr, paddr + bytes.length)));
      }
      const map = truth.memoryMap?.map(([start]) => Number(start));
      if (map) expect(loadSegments(core).map(({ paddr }) => paddr)).toEqual(map);
    });

    it('gives a LiME image whose ranges are the RAM', async () => {
      const lime = await image(sample, { format: 'lime' });
      const whole = await image(sample, {});
      const view = new DataView(lime.buffer);
      let covered = 0;
      for (let at = 0; at < lime.length; ) {
        expect(view.getUint32(at, true)).toBe(0x4c694d45);
        const first = Number(view.getBigUint64(at + 8, true));
        const size = Number(view.getBigUint64(at + 16, true)) + 1 - first;
        expect(sha256(lime.subarray(at + 32, at + 32 + size))).toBe(sha256(whole.subarray(first, first + size)));
        covered += size;
        at += 32 + size;
      }
      expect(covered).toBe(lowEnd - 0x60000);
    });
  });
}

/** A second, naive reading of an ELF core. */
function loadSegments(core: Uint8Array): { paddr: number; bytes: Uint8Array }[] {
  const view = new DataView(core.buffer);
  const u64 = (at: number) => Number(view.getBigUint64(at, true));
  const segments = [];
  for (let i = 0; i < view.getUint16(56, true); i++) {
    const at = u64(32) + 56 * i;
    if (view.getUint32(at, true) === 1) segments.push({ paddr: u64(at + 24), bytes: core.subarray(u64(at + 8), u64(at + 8) + u64(at + 32)) });
  }
  return segments;
}

describe('extract()', () => {
  const [sample] = samplesIn(STATES_FOLDER);

  it('refuses a damaged state', async () => {
    const bytes = new Uint8Array(readFileSync(sample.path));
    bytes[100_000] ^= 1;
    await expect(extract(bufferSource(bytes), new MemoryTarget(), {})).rejects.toMatchObject({ name: 'FormatError' });
  });

  it('names what there is when a part is not there', async () => {
    await expect(image(sample, { rom: 'no such ROM' })).rejects.toThrow(/there are: .*DMI tables/);
    await expect(image(sample, { mmio2: 'VRam' })).rejects.toThrow(/VMMDev Heap/);
    await expect(image(sample, { unit: 'nothing' })).rejects.toThrow(/cpum/);
  });

  it('refuses odd ranges for formats of whole pages', async () => {
    await expect(image(sample, { format: 'lime', range: { start: 1, end: 0x2000 } })).rejects.toMatchObject({ code: 'bad-range' });
  });
});
