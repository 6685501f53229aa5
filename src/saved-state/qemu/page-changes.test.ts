import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { PAGE_SIZE } from '../../../formats/sizes.ts';
import { qemuSample, qemuTruth } from '../../testing/qemu-samples.ts';
import { readState } from '../families/read-state.ts';
import { verifyState } from '../families/verify-state.ts';

// Pages as changes (xbzrle): records that a writer of this test makes, beside pages of a real state. States that the
// real QEMU wrote so have been compared with what it loaded of them (`campaign -- qemu-made`).

const SAMPLE = qemuSample('long-10.state');
const [, , end] = qemuTruth('long-10.state').sections;

/** Words of 64 bits, of 32, of 16, bytes, text with its length. */
const u64 = (value: number) => Buffer.from(value.toString(16).padStart(16, '0'), 'hex');
const u32 = (value: number) => u64(value).subarray(4);
const u16 = (value: number) => u64(value).subarray(6);
const XBZRLE = 0x40;
const FILL = 0x02;

function record(flags: number, address: number, ...rest: readonly Uint8Array[]): Buffer {
  return Buffer.concat([u64(address + flags), Buffer.from('\x06pc.ram', 'latin1'), ...rest]);
}

const changes = (bytes: readonly number[], encoding = 1) =>
  Buffer.concat([Buffer.from([encoding]), u16(bytes.length), Buffer.from(bytes)]);

/** The state with one more part of RAM. */
function withRecords(...records: readonly Uint8Array[]): Buffer {
  const id = u32(end.id);
  const part = [Buffer.from([2]), id, ...records, u64(0x10), Buffer.from([0x7e]), id];
  return Buffer.concat([SAMPLE.subarray(0, end.offset), ...part, SAMPLE.subarray(end.offset)]);
}

async function pageOf(bytes: Buffer, address: number): Promise<Buffer> {
  const page = Buffer.alloc(PAGE_SIZE);
  await readState(bufferSource(bytes), {
    sink: {
      async take(batch) {
        for (let i = 0; i < batch.count; i++)
          if (batch.kind[i] <= 1 && batch.page[i] === address / PAGE_SIZE) batch.decode(i, page, 0);
      },
    },
  });
  return page;
}

/** A page with contents in the sample, and one of zeros. */
const FULL = 0x1000;
const EMPTY = 0x80_0000;

describe('pages that come as changes', () => {
  it('are put together from the page before, again and again', async () => {
    const before = await pageOf(SAMPLE, FULL);
    expect(before.some((byte) => byte !== 0)).toBe(true);
    const bytes = withRecords(
      record(XBZRLE, FULL, changes([3, 2, 0xaa, 0xbb])),
      record(XBZRLE, FULL, changes([4, 1, 0xcc, 0x80, 0x1f, 1, 0xdd])),
    );
    const expected = Buffer.from(before);
    expected.set([0xaa, 0xcc], 3);
    expected[5 + 0xf80] = 0xdd;
    expect(await pageOf(bytes, FULL)).toEqual(expected);
    expect((await verifyState(bufferSource(bytes))).verdict).toBe('no-damage-found');
  });

  it('are put together from pages of zeros and of one byte, and from what filled them in between', async () => {
    const some = changes([0, 1, 7]);
    const zeros = await pageOf(withRecords(record(XBZRLE, EMPTY, some)), EMPTY);
    expect(zeros).toEqual(Buffer.concat([Buffer.from([7]), Buffer.alloc(PAGE_SIZE - 1)]));
    const filled = withRecords(
      record(XBZRLE, EMPTY, changes([9, 1, 1])),
      record(FILL, EMPTY, Buffer.from([0x55])),
      record(XBZRLE, EMPTY, some),
      record(FILL, FULL, Buffer.from([0x66])),
      record(XBZRLE, FULL, some),
    );
    expect(await pageOf(filled, EMPTY)).toEqual(Buffer.alloc(PAGE_SIZE, 0x55).fill(7, 0, 1));
    expect(await pageOf(filled, FULL)).toEqual(Buffer.alloc(PAGE_SIZE, 0x66).fill(7, 0, 1));
  });

  it.each([
    [
      'a length beyond the page',
      changes([0xff, 0x1f, 2, 1, 1]),
      'bad-page',
      /Failed to decompress XBZRLE page at 0x1000/,
    ],
    ['changes that end early', changes([1, 9, 1]), 'bad-page', /Failed to decompress/],
    ['changes without an end', changes([1]), 'bad-page', /Failed to decompress/],
    ['another encoding', changes([0, 1, 1], 2), 'bad-page', /wrong compression/],
    ['another encoding and more than a page', Buffer.from([2, 0xff, 0xff]), 'bad-page', /wrong compression/],
    ['more than a page', Buffer.concat([Buffer.from([1]), u16(5000)]), 'bad-page', /len overflow/],
  ])('with %s are damage', async (_, rest, code, says) => {
    const { verdict, findings, qemuSays } = await verifyState(bufferSource(withRecords(record(XBZRLE, FULL, rest))));
    expect([verdict, findings[0].code]).toEqual(['damaged', code]);
    expect(qemuSays).toMatch(says);
  });

  it('are refused where the pages before cannot be read again', async () => {
    const bytes = withRecords(record(XBZRLE, FULL, changes([0, 1, 7])));
    const piped: ByteSource = { ...bufferSource(bytes), seekable: false, size: undefined };
    await expect(readState(piped)).rejects.toMatchObject({ code: 'xbzrle' });
  });
});
