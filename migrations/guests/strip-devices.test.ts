import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { handedOut, TAIL } from '../testing/handed-out.ts';
import { stripDevices } from './strip-devices.ts';

/** In pieces as a socket may give them. */
function* piecesOf(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

describe('stripDevices()', () => {
  it.each([97, 4097, 1 << 20])(
    'leaves out memory that savkit moves, and nothing else, in pieces of %i bytes',
    async (size) => {
      const stream = await handedOut({ 'pc.ram': 60, 'pc.rom': 3, dimm0: 8 });
      const stripped = await stripDevices(Readable.from(piecesOf(stream, size)), new Set(['pc.ram', 'dimm0']));
      // Head and list of blocks as they were, pages of the ROM, what ends each section, the tail.
      const page = Buffer.alloc(PAGE_SIZE, 2);
      const firstRam = Buffer.from(stream).indexOf(Buffer.alloc(PAGE_SIZE, 1));
      const list = Buffer.from(stream).lastIndexOf('pc.ram', firstRam) - 9;
      expect(Buffer.compare(stripped.subarray(0, list), stream.subarray(0, list))).toBe(0);
      const rest = Buffer.from(stripped.subarray(list));
      expect(rest.indexOf(Buffer.alloc(PAGE_SIZE, 1))).toBe(-1);
      expect(rest.indexOf(Buffer.alloc(PAGE_SIZE, 3))).toBe(-1);
      let pages = 0;
      for (let at = rest.indexOf(page); at >= 0; at = rest.indexOf(page, at + PAGE_SIZE)) pages++;
      expect(pages).toBe(3);
      expect(rest.subarray(-TAIL.length).equals(TAIL)).toBe(true);
      expect(rest.length).toBeLessThan(4 * PAGE_SIZE);
    },
  );

  it('gives up where the rest is too much for a target, where the bytes are no stream, or where they end early', async () => {
    const large = await handedOut({ 'pc.ram': 1, vram: 9000 });
    const strip = (bytes: Uint8Array) => stripDevices(Readable.from([bytes]), new Set(['pc.ram']));
    await expect(strip(large)).rejects.toMatchObject({ code: 'too-much' });
    await expect(strip(large.subarray(0, 20_000))).rejects.toMatchObject({ code: 'truncated' });
    await expect(strip(Buffer.from('HTTP/1.1 400 Bad Request'))).rejects.toMatchObject({ code: 'not-qemu' });
  });
});
