import { describe, expect, it } from 'vitest';
import { FormatError, UnsupportedError } from '../errors.ts';
import { bufferSource } from '../files/source.ts';
import { buildV1, buildV2, lzfRecord, randomPage, rawRecord, sizeCode } from '../testing/container-builder.ts';
import { readStrictly, readTolerantly } from '../testing/container-reading.ts';

// Small files in which every bit matters to somebody.

const UNITS = [
  { name: 'SSM', payload: Buffer.from('first unit') },
  { name: 'mm', instance: 1, version: 2, payload: Buffer.alloc(16, 7) },
  { name: 'text', payload: Buffer.from('to be or not to be, '.repeat(20)) },
];
const ZEROS = Buffer.of(0x94, 1, 4);
const V2 = buildV2([
  ...UNITS,
  {
    name: 'mixed',
    pass: 0,
    records: Buffer.concat([
      ZEROS,
      rawRecord(Buffer.from('abc')),
      lzfRecord('01 61 61 e0 ff 00 e0 ff 00 e0 ff 00 e0 dc 00 00 61', 1),
      ZEROS,
    ]),
  },
  { name: 'long', records: Buffer.concat([Buffer.of(0x92), sizeCode(300, 2), randomPage().subarray(0, 300)]) },
]);
const FILES = { 'V2.0': V2, 'V1.2': buildV1('1.2', UNITS), 'V1.1': buildV1('1.1', UNITS) };

for (const [format, file] of Object.entries(FILES)) {
  describe(`a ${format} file`, () => {
    it('is read as it is', async () => {
      expect((await readStrictly(bufferSource(file))).length).toBeGreaterThanOrEqual(3);
    });

    it('is refused when cut at any byte, with code and place', async () => {
      for (let length = 0; length < file.length; length++) {
        const error = await readStrictly(bufferSource(file.subarray(0, length))).catch((caught) => caught);
        expect(error, `cut at ${length}`).toBeInstanceOf(FormatError);
        expect(error.code, `cut at ${length}`).toBeTruthy();
        expect(error.place.offset, `cut at ${length}`).toBeTypeOf('number');
      }
    });

    it('read tolerantly, cut at any byte, gives up the units that the cut has reached, and no other', async () => {
      for (let length = 80; length < file.length; length += 3) {
        const cut = file.subarray(0, length);
        const { good, errors } = await readTolerantly(bufferSource(cut));
        expect(errors.length, `cut at ${length}`).toBeGreaterThan(0);
        const complete = UNITS.filter(({ name }) => endOf(file, name) <= length).map(({ name }) => name);
        expect(good.slice(0, complete.length), `cut at ${length}`).toEqual(complete);
      }
    });
  });
}

/** File offset at which the payload of a unit ends, found by the unit's name. */
function endOf(file: Buffer, name: string): number {
  const next = file.indexOf('\nUnit\n', file.indexOf(`${name}\0`));
  return next < 0 ? file.length : next;
}

/** Bits whose flip a strict reading does not notice. */
async function unnoticed(file: Buffer): Promise<number[]> {
  const bits: number[] = [];
  for (let bit = 0; bit < file.length * 8; bit++) {
    const changed = Buffer.from(file);
    changed[bit >> 3] ^= 1 << (bit & 7);
    const error = await readStrictly(bufferSource(changed)).catch((caught) => caught);
    if (!(error instanceof Error)) bits.push(bit);
    else if (!(error instanceof FormatError || error instanceof UnsupportedError))
      throw new Error(`bit ${bit}`, { cause: error });
  }
  return bits;
}

const bytesOf = (bits: readonly number[]) => [...new Set(bits.map((bit) => bit >> 3))];

describe('one flipped bit', () => {
  it('never goes unnoticed in a V2.0 file with stream CRC', async () => {
    expect(await unnoticed(V2)).toEqual([]);
  });

  it('goes unnoticed in V1.2 only in the tail that its CRC does not reach, where nobody looks', async () => {
    const file = FILES['V1.2'];
    // The CRC covers (file size − header size) bytes from offset 44: the last 36 bytes are left out. Of the end unit
    // only the magic is looked at.
    const uncovered = file.length - 36;
    const end = file.length - 28;
    const bytes = bytesOf(await unnoticed(file));
    expect(bytes.every((at) => at >= uncovered && (at < end || at >= end + 8))).toBe(true);
    expect(bytes.length).toBeGreaterThan(0);
  });

  it('goes unnoticed in V1.1 only in the tail that its CRC does not reach, where nobody looks', async () => {
    const file = FILES['V1.1'];
    const uncovered = file.length - 20;
    const bytes = bytesOf(await unnoticed(file));
    expect(bytes.every((at) => at >= uncovered)).toBe(true);
  });
});
