import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crcShift } from '../binary/crc32.ts';
import { Cursor, OutOfBytes } from '../binary/cursor.ts';
import { array, bool, gcPhys, gcPtr, marker, mask64, text, u8, u16, u32, u64 } from '../binary/kinds.ts';
import { defineStruct } from '../binary/struct.ts';
import { Writer } from '../binary/writer.ts';
import { type Disk, type DiskFile, REAL_DISK } from '../world/disk.ts';
import { enterWorld, world } from '../world/world.ts';
import { bufferSource, openFile, streamSource } from './source.ts';

const chunked = (bytes: Uint8Array, sizes: readonly number[]) => {
  const chunks: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length]);
    chunks.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size;
  }
  return Readable.from(chunks);
};

describe('sources', () => {
  it.each([0, 512, 1536, 1 << 20, 5 * 512 * 1021])(
    'of a volume of %i bytes, whose status tells 0, know its size',
    async (size) => {
      const folder = mkdtempSync(join(tmpdir(), 'savkit-volume-'));
      const path = join(folder, 'volume');
      writeFileSync(path, Buffer.alloc(size, 7));
      const asVolume = <T extends object>(stats: T) =>
        Object.assign(stats, { size: 0n, isFile: () => false, isBlockDevice: () => true });
      const open: Disk['open'] = async (...words) => {
        const file = await REAL_DISK.open(...words);
        const stat: DiskFile['stat'] = async (options) => asVolume(await file.stat(options));
        return { fd: file.fd, stat, close: () => file.close() } as DiskFile;
      };
      const before = enterWorld({ ...world, disk: { ...REAL_DISK, open } });
      const source = await openFile(path);
      enterWorld(before);
      expect([source.size, source.seekable]).toEqual([size, true]);
      const last = new Uint8Array(4);
      expect(await source.read(last, Math.max(0, size - 2))).toBe(Math.min(size, 2));
      await source.close();
      rmSync(folder, { recursive: true });
    },
  );

  it.skipIf(process.platform === 'win32')('of a pipe wait for its writer', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-pipe-'));
    const pipe = join(folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const source = await openFile(pipe);
    const target = new Uint8Array(8);
    const reading = source.read(target, 0);
    await writeFile(pipe, 'bytes');
    expect(await reading).toBe(5);
    expect(Buffer.from(target.subarray(0, 5)).toString()).toBe('bytes');
    await source.close();
    rmSync(folder, { recursive: true });
  });

  it('give nothing of a file at offsets that no file reaches', async () => {
    const source = await openFile(import.meta.filename);
    expect(await source.read(new Uint8Array(8), 2 ** 55)).toBe(0);
    expect(await source.read(new Uint8Array(8), Number.MAX_SAFE_INTEGER - 8)).toBe(0);
    await source.close();
  });

  it('of a file that was closed read nothing of the next one that gets its number', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-closed-'));
    const paths = ['one', 'two'].map((name) => join(folder, name));
    for (const path of paths) writeFileSync(path, path);
    const one = await openFile(paths[0]);
    const { fd } = one;
    await one.close();
    const two = await openFile(paths[1]);
    expect(two.fd).toBe(fd);
    await expect(one.read(new Uint8Array(8), 0)).rejects.toMatchObject({ code: 'EBADF' });
    await two.close();
    rmSync(folder, { recursive: true });
  });

  it('of a stream give the same whatever its chunks, as a file does', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'savkit-source-'));
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 3000 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 9 }),
        fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 9 }),
        async (bytes, sizes, reads) => {
          const path = join(folder, 'file');
          writeFileSync(path, bytes);
          const sources = [streamSource(chunked(bytes, sizes)), await openFile(path), bufferSource(bytes)];
          for (const source of sources) {
            const parts: Buffer[] = [];
            for (let offset = 0, i = 0; ; i++) {
              const target = new Uint8Array(reads[i % reads.length]);
              const count = await source.read(target, offset);
              parts.push(Buffer.from(target.subarray(0, count)));
              offset += count;
              if (count < target.length) break;
            }
            expect(Buffer.concat(parts).toString('latin1')).toBe(Buffer.from(bytes).toString('latin1'));
            await source.close();
          }
        },
      ),
      { numRuns: 60 },
    );
    rmSync(folder, { recursive: true });
  });
});

describe('crcShift()', () => {
  it('tells how CRCs differ that differed before some more bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 50 }),
        fc.uint8Array({ maxLength: 50 }),
        fc.uint8Array({ maxLength: 300 }),
        (a, b, rest) => {
          const difference = (crc32(a) ^ crc32(b)) >>> 0;
          const after = (crc32(rest, crc32(a)) ^ crc32(rest, crc32(b))) >>> 0;
          expect(crcShift(difference, rest.length) >>> 0).toBe(after);
        },
      ),
    );
  });

  it('tells how CRCs differ that differed before gigabytes', () => {
    const zeros = new Uint8Array(1 << 16);
    let a = crc32('a');
    let b = crc32('b');
    const difference = (a ^ b) >>> 0;
    for (let i = 0; i < 1024; i++) [a, b] = [crc32(zeros, a), crc32(zeros, b)];
    expect(crcShift(difference, 1024 * zeros.length) >>> 0).toBe((a ^ b) >>> 0);
  });
});

describe('defineStruct()', () => {
  const layout = defineStruct('test', 'none', {
    small: { kind: u8, doc: '' },
    later: { kind: u16, doc: '', since: 3, absent: 77 },
    until: { kind: u32, doc: '', until: 4 },
    mark: { kind: marker(0xfeedface, 'VERR_X'), doc: '' },
    address: { kind: gcPhys, doc: '' },
    pointer: { kind: gcPtr, doc: '' },
    mask: { kind: mask64, doc: '' },
    size: { kind: u64, doc: '' },
    flag: { kind: bool, doc: '' },
    name: { kind: text(10), doc: '' },
    list: { kind: array(u8, 3), doc: '' },
  });
  const value = {
    small: 1,
    later: 2,
    until: 3,
    address: 0x12345678,
    pointer: 0x9abcdef0n,
    mask: 0x8000000000000001n,
    size: 2 ** 40 + 1,
    flag: true,
    name: 'name',
    list: [7, 8, 9],
  };
  const MARK_AT = 1 + 2 + 4;

  for (const widths of [
    { gcPhys: 4, gcPtr: 4 },
    { gcPhys: 8, gcPtr: 8 },
    { gcPhys: 8, gcPtr: 4 },
  ] as const) {
    it(`reads what it writes, widths ${widths.gcPhys} and ${widths.gcPtr}`, () => {
      const writer = new Writer(widths);
      layout.write(writer, value, 4);
      const bytes = writer.view();
      expect(layout.read(new Cursor(bytes, 0, bytes.length, widths), 4)).toEqual(value);
      for (let end = 0; end < bytes.length; end++)
        expect(() => layout.read(new Cursor(bytes, 0, end, widths), 4)).toThrow(OutOfBytes);
    });
  }

  it('leaves out fields that a version lacks, and gives their defaults', () => {
    const writer = new Writer();
    layout.write(writer, value, 2);
    const bytes = writer.view();
    expect(layout.read(new Cursor(bytes), 2)).toEqual({ ...value, later: 77 });
    const { until: _, ...rest } = value;
    const newer = new Writer();
    layout.write(newer, value, 5);
    expect(layout.read(new Cursor(newer.view()), 5)).toEqual(rest);
  });

  it('names the field of a wrong marker or a long text, with the code of the loader', () => {
    const writer = new Writer();
    layout.write(writer, value, 4);
    const bytes = writer.view().slice();
    bytes[MARK_AT] ^= 1;
    expect(() => layout.read(new Cursor(bytes), 4)).toThrow(
      expect.objectContaining({ vboxCode: 'VERR_X', place: expect.objectContaining({ field: 'mark' }) }),
    );
    bytes[MARK_AT] ^= 1;
    const nameAt = bytes.length - 3 - 4 - 4;
    bytes[nameAt] = 10;
    expect(() => layout.read(new Cursor(bytes), 4)).toThrow(
      expect.objectContaining({ code: 'too-long', place: expect.objectContaining({ field: 'name' }) }),
    );
  });
});
