import { expect, it } from 'vitest';
import { InterruptedError } from '../../errors.ts';
import { bufferSource } from '../../files/source.ts';
import { WINDOW_SIZE } from '../../files/window.ts';
import { PageKind } from '../../pgm/page-batch.ts';
import { PAGE_SIZE } from '../../sizes.ts';
import { MAX_PARTS } from '../constants.ts';
import { QemuStreamReader } from './stream-reader.ts';

const u32 = (value: number) => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value].map((byte) => byte & 0xff));
const u64 = (value: number) => Buffer.concat([u32(0), u32(value)]);
const FOOTER = Buffer.from('7e00000001', 'hex');
/** Pages of the block: a few less than a batch has. */
const PAGES = 1000;
/** Pages with contents, in one window. */
const FULL = Math.floor(WINDOW_SIZE / (PAGE_SIZE + 8)) - 1;

/** A stream whose second section of RAM ends, without its mark, `left` bytes before the end of a window. */
function streamUpTo(left: number): Buffer {
  const build = (machine: string, zeros: number) => {
    const records: Buffer[] = [];
    for (let i = 0; i < FULL; i++)
      records.push(
        u64(i * PAGE_SIZE + (i === 0 ? 0x08 : 0x28)),
        ...(i === 0 ? [Buffer.from('\x06pc.ram')] : []),
        Buffer.alloc(PAGE_SIZE, 1 + (i % 255)),
      );
    for (let i = FULL; i < FULL + zeros; i++) records.push(u64(i * PAGE_SIZE + 0x22), Buffer.alloc(1));
    return Buffer.concat([
      Buffer.from('QEVM\0\0\0\x03\x07', 'latin1'),
      u32(machine.length),
      Buffer.from(machine),
      Buffer.from('\x01\0\0\0\x01\x03ram\0\0\0\0\0\0\0\x04', 'latin1'),
      u64(PAGES * PAGE_SIZE + 0x04),
      Buffer.from('\x06pc.ram'),
      u64(PAGES * PAGE_SIZE),
      u64(0x10),
      FOOTER,
      Buffer.from('\x02\0\0\0\x01', 'latin1'),
      ...records,
      u64(0x10),
    ]);
  };
  const zeros = Math.floor((WINDOW_SIZE - left - build('', 0).length) / 9);
  const machine = 'm'.repeat(WINDOW_SIZE - left - build('', zeros).length);
  // A device, which fills the next window.
  return Buffer.concat([build(machine, zeros), FOOTER, Buffer.alloc(WINDOW_SIZE, 4)]);
}

// The mark after a section has to be fetched while pages of the window wait to be taken.
it.each([0, 1, 2, 3, 4, 5, 9])('pages stay what they are when a window ends %i bytes after a section', async (left) => {
  const reader = await QemuStreamReader.open(bufferSource(streamUpTo(left)));
  const seen = new Set<number>();
  while (await reader.nextPages()) {
    const { batch } = reader;
    for (let i = 0; i < batch.count; i++) {
      if (batch.kind[i] !== PageKind.RAM_RAW) continue;
      seen.add(batch.page[i]);
      const content = Buffer.alloc(PAGE_SIZE);
      batch.decode(i, content, 0);
      expect(content.every((byte) => byte === 1 + (batch.page[i] % 255))).toBe(true);
    }
  }
  expect(seen.size).toBe(FULL);
  reader.release();
});

/** As QEMU 7.2.22 writes it for `raspi3b`, whose pages have 1 KiB, and for a machine that tells 64 KiB. */
it.each([
  ['raspi3b', '', '{"page_size": 1024, "devices": []}', 'other-page-size'],
  ['virt-7.2', '\x05\x1econfiguration/target-page-bits\0\0\0\x01\0\0\0\x10', '', 'other-page-size'],
  ['raspi3b', '', '{"page_size": 4096, "devices": []}', undefined],
  ['pc-i440fx-7.2', '', '{"page_size": 1024, "devices": []}', undefined],
])('pages of another size are refused, of %s %j with %j', async (machine, part, description, code) => {
  const bytes = Buffer.concat([
    Buffer.from('QEVM\0\0\0\x03\x07', 'latin1'),
    u32(machine.length),
    Buffer.from(machine),
    Buffer.from(`${part}\0`, 'latin1'),
    ...(description === '' ? [] : [Buffer.from([6]), u32(description.length), Buffer.from(description)]),
  ]);
  const opened = QemuStreamReader.open(bufferSource(bytes)).then(
    (reader) => reader.release(),
    (error: { code: string }) => error.code,
  );
  expect(await opened).toBe(code);
});

/** The head of a stream up to its first section. */
const HEAD = Buffer.from('QEVM\0\0\0\x03\x07\0\0\0\x0dpc-i440fx-7.2', 'latin1');
const BITMAPS = Buffer.from('\x01\0\0\0\x02\x0cdirty-bitmap\0\0\0\0\0\0\0\x01', 'latin1');

it('a section of very many chunks of a byte ends with the signal, though all of it is in the window', async () => {
  const stop = new AbortController();
  const chunks = Buffer.alloc(WINDOW_SIZE / 2, 0x20);
  const { signal } = stop;
  const reader = await QemuStreamReader.open(bufferSource(Buffer.concat([HEAD, BITMAPS, chunks])), { signal });
  stop.abort();
  await expect(reader.nextPages()).rejects.toBeInstanceOf(InterruptedError);
  reader.release();
});

it.each([
  ['commands', Buffer.from('080001000400000000', 'hex')],
  ['empty parts', Buffer.from('020000000201', 'hex')],
])('%s beyond number are refused, as each takes memory', async (_what, one) => {
  const many = Buffer.alloc(one.length * (MAX_PARTS + 1), one);
  const reader = await QemuStreamReader.open(bufferSource(Buffer.concat([HEAD, BITMAPS, Buffer.from([1]), many])));
  await expect(reader.nextPages()).rejects.toMatchObject({ code: 'too-many-units' });
  reader.release();
});

it('names of capabilities beyond number are refused, also in many parts', async () => {
  const part = Buffer.from('\x05\x1aconfiguration/capabilities\0\0\0\x01\0\0\0\xff', 'latin1');
  const parts = Array.from({ length: 2 }, () => [part, Buffer.alloc(255)]).flat();
  const head = Buffer.from('QEVM\0\0\0\x03\x07\0\0\0\0', 'latin1');
  const opened = QemuStreamReader.open(bufferSource(Buffer.concat([head, ...parts, Buffer.alloc(9)])));
  await expect(opened).rejects.toMatchObject({ code: 'too-long' });
});
