import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../errors.ts';
import { readScreenshot } from '../units/display/display-screenshot.ts';
import { checkPng } from './png.ts';

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, -4)), 8 + data.length);
  return out;
}

/** Grey dots. */
function png(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.writeUInt8(8, 8);
  const dots = deflateSync(Buffer.alloc((width + 1) * height));
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', dots),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const words = (...values: number[]) => Buffer.from(Uint32Array.from(values).buffer);
/** As VirtualBox lays out its two pictures. */
const unitOf = (picture: Buffer, width = 4, height = 3) =>
  Buffer.concat([words(2, 8 + 16, 0, 2, 2), Buffer.alloc(16), words(8 + picture.length, 1, width, height), picture]);

describe('checkPng()', () => {
  it('takes whole pictures and tells their size', () => {
    expect(checkPng(png(720, 400))).toEqual({ width: 720, height: 400 });
  });

  it('takes no other bytes for one', () => {
    const good = png(4, 3);
    for (let length = 0; length < good.length; length++)
      expect(() => checkPng(good.subarray(0, length))).toThrow(FormatError);
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at] ^= 1;
      expect(() => checkPng(bad), String(at)).toThrow(FormatError);
    }
    expect(() => checkPng(Buffer.concat([good, Buffer.of(0)]))).toThrow(/follow/);
    expect(() => checkPng(png(0, 3))).toThrow(/size/);
  });
});

describe('readScreenshot()', () => {
  it('finds the picture after the small one', () => {
    const picture = png(4, 3);
    const found = readScreenshot(unitOf(picture));
    expect(found).toMatchObject({ width: 4, height: 3, offset: 4 + 8 + 24 + 16 });
    expect(Buffer.from(found?.png ?? [])).toEqual(picture);
  });

  it('says that there is none, where the blocks are empty', () => {
    expect(readScreenshot(words(0))).toBeUndefined();
    expect(readScreenshot(words(2, 8, 0, 8, 1))).toBeUndefined();
  });

  it('believes no sizes', () => {
    expect(() => readScreenshot(unitOf(png(4, 3), 4, 4))).toThrow(/the unit says 4×4/);
    expect(() => readScreenshot(words(0xffffffff))).toThrow(FormatError);
    expect(() => readScreenshot(words(1, 0xffffffff, 1))).toThrow(FormatError);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          expect(readScreenshot(bytes)).toBeUndefined();
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });
});
