import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bufferSource, openFile } from '../../../formats/files/source.ts';
import { NaiveElf } from '../../testing/naive-elf.ts';
import { MemoryTarget, type Sample, STATES_FOLDER, samplesIn, sha256 } from '../../testing/states.ts';
import { type ExtractOptions, extract } from './extract.ts';

/** Numbers of registers in NT_PRSTATUS, of 64 and of 32 bits, and their offsets in QEMU's note. */
const REGISTERS = [
  ['rax', 10, 6, 8],
  ['rbx', 5, 0, 16],
  ['rcx', 11, 1, 24],
  ['rdx', 12, 2, 32],
  ['rsi', 13, 3, 40],
  ['rdi', 14, 4, 48],
  ['rsp', 19, 15, 56],
  ['rbp', 4, 5, 64],
  ['rip', 16, 12, 136],
  ['rflags', 18, 14, 144],
  ['cs', 17, 13, 152],
  ['ss', 20, 16, 272],
  ['ds', 23, 7, 176],
] as const;

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
  const isLong = truth.vcpus[0].mode.startsWith('long');

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
        const sameName = truth.units.filter(
          (unit) => unit.name === name && unit.instance === instance && unit.pass === pass,
        );
        if (sameName.length > 1) continue;
        expect(sha256(await image(sample, { unit: `${name}/${instance}:${pass}` }))).toBe(payloadSha256);
      }
    });

    it('gives an ELF core as VirtualBox writes it, whose memory is the same', async () => {
      const core = new NaiveElf(await image(sample, { format: 'vbox-core' }));
      const seen = await image(sample, { asSeen: true, range: { start: 0, end: lowEnd } });
      expect(core.bytes[6]).toBe(0);
      for (const { paddr, offset, fileSize } of core.segments) {
        if (paddr + fileSize <= lowEnd)
          expect(sha256(core.bytes.subarray(offset, offset + fileSize))).toBe(
            sha256(seen.subarray(paddr, paddr + fileSize)),
          );
      }
      const map = truth.memoryMap?.map(([start]) => Number(start));
      if (map) expect(core.segments.map(({ paddr }) => paddr)).toEqual(map);
    });

    it('gives an ELF core for debuggers, whose memory is the same', async () => {
      const core = new NaiveElf(await image(sample, { format: 'elf' }));
      const seen = await image(sample, { asSeen: true, range: { start: 0, end: lowEnd } });
      expect([...core.bytes.subarray(0, 20)]).toEqual([
        0x7f,
        0x45,
        0x4c,
        0x46,
        2,
        1,
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        4,
        0,
        isLong ? 62 : 3,
        0,
      ]);
      for (const { paddr, offset, fileSize, memorySize } of core.segments) {
        expect({ offset: offset % 4096, memorySize }).toEqual({ offset: 0, memorySize: fileSize });
        if (paddr + fileSize <= lowEnd)
          expect(sha256(core.bytes.subarray(offset, offset + fileSize))).toBe(
            sha256(seen.subarray(paddr, paddr + fileSize)),
          );
      }
      const pages = truth.memoryMap?.filter(([, , kind]) => kind !== 'MMIO').map(([start]) => Number(start)) ?? [];
      for (const address of [...pages, 0x1000, lowEnd - 4096]) {
        expect(core.atPhysical(address, 4096)).toEqual(core.atVirtual(BigInt(address), 4096));
        if (address < lowEnd)
          expect(core.atPhysical(address, 4096)).toEqual(Buffer.from(seen.subarray(address, address + 4096)));
      }
      expect(core.atPhysical(0xa0000, 4096)).toBeUndefined();
    });

    it('gives an ELF core with the virtual addresses of the upper half', async () => {
      const core = new NaiveElf(await image(sample, { format: 'elf' }));
      const inUpperHalf = truth.patterns.filter(
        ({ space, address, sha256: hash, bytes }) =>
          space === 'virtual' && BigInt(address) >= 0x80000000n && (hash ?? bytes),
      );
      expect(inUpperHalf.length).toBeGreaterThan(0);
      for (const { address, size, bytes, sha256: hash } of inUpperHalf) {
        const pages = Array.from({ length: Math.ceil(size / 4096) }, (_, i) =>
          core.atVirtual(BigInt(address) + BigInt(4096 * i), Math.min(size, 4096)),
        );
        const found = Buffer.concat(pages.map((page) => page ?? Buffer.alloc(0)));
        expect(bytes ? found.toString('hex') : sha256(found)).toBe(bytes ?? hash);
      }
    });

    it('gives an ELF core with the registers of each CPU', async () => {
      const { notes } = new NaiveElf(await image(sample, { format: 'elf' }));
      expect(notes.map(({ name, type, contents }) => [name, type, contents.length])).toEqual([
        ['CORE', 1, isLong ? 336 : 144],
        ['QEMU', 0, 440],
      ]);
      const [{ contents: registers }, { contents: all }] = notes;
      const [{ cr0, cr2, cr3, cr4 }] = truth.vcpus;
      expect(registers.readUInt32LE(isLong ? 32 : 24)).toBe(1);
      expect([392, 408, 416, 424].map((at) => all.readBigUInt64LE(at))).toEqual([cr0, cr2, cr3, cr4].map(BigInt));
      for (const [name, in64, in32, inAll] of REGISTERS) {
        const value = isLong
          ? registers.readBigUInt64LE(112 + 8 * in64)
          : BigInt(registers.readUInt32LE(72 + 4 * in32));
        expect([name, value]).toEqual([
          name,
          BigInt.asUintN(name.endsWith('s') && name.length === 2 ? 16 : 64, all.readBigUInt64LE(inAll)),
        ]);
      }
      expect(all.readBigUInt64LE(136)).toBeGreaterThan(0xf0000n);
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

describe('extract()', () => {
  const [sample] = samplesIn(STATES_FOLDER);

  it('refuses a damaged state', async () => {
    const bytes = new Uint8Array(readFileSync(sample.path));
    bytes[100_000] ^= 1;
    await expect(extract(bufferSource(bytes), new MemoryTarget(), {})).rejects.toMatchObject({ name: 'FormatError' });
  });

  it('names the parts that there are when a part is missing', async () => {
    await expect(image(sample, { rom: 'no such ROM' })).rejects.toThrow(/there are: .*DMI tables/);
    await expect(image(sample, { mmio2: 'VRam' })).rejects.toThrow(/VMMDev Heap/);
    await expect(image(sample, { unit: 'nothing' })).rejects.toThrow(/cpum/);
  });

  it('refuses odd ranges for formats of whole pages', async () => {
    await expect(image(sample, { format: 'lime', range: { start: 1, end: 0x2000 } })).rejects.toMatchObject({
      code: 'bad-range',
    });
  });
});
