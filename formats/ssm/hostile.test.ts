import { Readable } from 'node:stream';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SavkitError } from '../errors.ts';
import { bufferSource, streamSource } from '../files/source.ts';
import {
  buildV1,
  buildV2,
  lzfRecord,
  placesIn,
  rawRecord,
  resealV1,
  resealV2,
  seal,
  type UnitSpec,
} from '../testing/container-builder.ts';
import { readStrictly, readTolerantly } from '../testing/container-reading.ts';

// Files with false claims, and with every CRC right.

const codeOf = (file: Uint8Array) =>
  readStrictly(bufferSource(file)).then(
    () => 'read',
    (error) => (error instanceof SavkitError ? error.code : Promise.reject(error)),
  );

/** Maximum memory that a reading may take beyond the bytes of the file: buffers, and what tests themselves need. */
const MEMORY_LIMIT = 96 * 1024 * 1024;

async function withinMemory(run: () => Promise<void>): Promise<void> {
  const before = process.memoryUsage.rss();
  await run();
  expect(process.memoryUsage.rss() - before).toBeLessThan(MEMORY_LIMIT);
}

describe('a record of a claimed length', () => {
  for (const [what, code] of [
    ['2^31 − 1', 'fd bf bf bf bf bf'],
    ['2^26 − 1', 'fb bf bf bf bf'],
    ['70,000', 'f0 91 85 b0'],
  ] as const) {
    it(`of ${what} bytes that are not there costs no memory and ends in an error`, async () => {
      const file = buildV2([{ name: 'unit', payload: Buffer.from('some bytes') }]);
      const { records } = placesIn(file).units[0];
      Buffer.from(`92${code}`.replaceAll(' ', ''), 'hex').copy(file, records);
      await withinMemory(async () => expect(['truncated', 'bad-record']).toContain(await codeOf(file)));
    });
  }

  it('V1.x: of 2^31 − 1 and of 2^63 bytes of unit are refused', async () => {
    for (const size of [0x7fffffffn, 0x7fffffffffffffffn, 0n, 1n]) {
      const file = buildV1('1.2', [{ name: 'unit', payload: Buffer.from('some bytes') }]);
      file.writeBigUInt64LE(size, 80 + 8);
      await withinMemory(async () => expect(await codeOf(resealV1(file))).toBe('bad-unit'));
    }
  });

  it('V1.x: of 2^32 − 1 bytes of name are refused', async () => {
    const file = buildV1('1.2', [{ name: 'unit', payload: Buffer.from('some bytes') }]);
    file.writeUInt32LE(0xffffffff, 80 + 24);
    await withinMemory(async () => expect(await codeOf(resealV1(file))).toBe('bad-unit'));
  });
});

describe('very many units', () => {
  it('20,000 of one byte each are read in order and in time', async () => {
    const units: UnitSpec[] = Array.from({ length: 20_000 }, (_, i) => ({
      name: `u${i}`,
      payload: Buffer.of(i & 255),
    }));
    const file = buildV2(units);
    const start = process.cpuUsage();
    const read = await readStrictly(bufferSource(file));
    expect(read.length).toBe(20_000);
    expect(read[19_999].name).toBe('u19999');
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(5000);
  });

  it('a directory may have 65,535 entries, not 65,536', async () => {
    const units: UnitSpec[] = Array.from({ length: 65_535 }, () => ({ name: 'u' }));
    expect(await codeOf(buildV2(units))).toBe('read');
    expect(await codeOf(buildV2([...units, { name: 'u' }]))).toMatch(/^bad-(directory|footer)$/);
  });
});

describe('a directory', () => {
  const units = ['one', 'two', 'three'].map((name) => ({ name, payload: Buffer.from(name) }));

  it('that claims 2^32 − 1 entries costs no memory', async () => {
    const file = buildV2(units);
    const { directory } = placesIn(file);
    file.writeUInt32LE(0xffffffff, directory + 12);
    await withinMemory(async () => expect(await codeOf(resealV2(file, ['footer']))).toBe('bad-directory'));
  });

  it('that points beyond the end is refused; that it points to no unit is left to a deeper check', async () => {
    for (const [offset, expected] of [
      [0xffffffffffffffffn, 'bad-directory'],
      [0x7fffffffffffffffn, 'bad-directory'],
      [65n, 'read'],
    ] as const) {
      const file = buildV2(units);
      const { directory } = placesIn(file);
      file.writeBigUInt64LE(offset, directory + 16);
      expect(await codeOf(resealV2(file))).toBe(expected);
    }
  });
});

describe('units out of order', () => {
  it('are read as they stand, also twice, where each header has its own offset', async () => {
    const [a, b] = [
      { name: 'a', payload: Buffer.from('first') },
      { name: 'b', payload: Buffer.from('second') },
    ];
    for (const units of [
      [a, a],
      [b, a],
      [a, b, a, b],
    ]) {
      const read = await readStrictly(bufferSource(buildV2(units)));
      expect(read.map(({ name }) => name)).toEqual(units.map(({ name }) => name));
    }
  });

  it('are noticed by their offsets where only their places were swapped', async () => {
    const file = buildV2([
      { name: 'a', payload: Buffer.from('first') },
      { name: 'b', payload: Buffer.from('other') },
    ]);
    const [first, second] = placesIn(file).units;
    const size = second.start - first.start;
    const swapped = Buffer.concat([
      file.subarray(0, first.start),
      file.subarray(second.start, second.start + size),
      file.subarray(first.start, second.start),
      file.subarray(second.start + size),
    ]);
    expect(await codeOf(swapped)).toBe('bad-unit');
    expect((await readTolerantly(bufferSource(swapped))).errors.length).toBeGreaterThan(0);
  });
});

describe('compressed data', () => {
  it('that expands beyond its claim is refused, whatever the claim', async () => {
    const bomb = '01 61 61 '.concat('e0 ff 00 '.repeat(1000));
    for (const kib of [1, 4])
      expect(await codeOf(buildV2([{ name: 'bomb', records: lzfRecord(bomb, kib) }]))).toBe('bad-compression');
  });

  it('of 200 MiB of zeros in 200 KiB of file is read piece by piece', async () => {
    const zeros = Buffer.alloc(3 * 51_200, Buffer.of(0x94, 1, 4));
    const file = buildV2([{ name: 'zeros', records: zeros }]);
    await withinMemory(async () => expect((await readTolerantly(bufferSource(file))).good).toEqual(['zeros']));
  });

  it('V1.x: a zlib stream of 100 MiB of zeros is read piece by piece', async () => {
    const file = buildV1('1.2', [
      { name: 'zeros', records: Buffer.concat([Buffer.of(3), deflateSync(Buffer.alloc(100 << 20))]) },
    ]);
    await withinMemory(async () => expect((await readTolerantly(bufferSource(file))).good).toEqual(['zeros']));
  });

  for (const type of [2, 3, 5]) {
    it(`V1.x: of compressor type ${type} is read`, async () => {
      const payload = Buffer.from('to be or not to be, '.repeat(1000));
      const [unit] = await readStrictly(bufferSource(buildV1('1.2', [{ name: 'text', payload }], type)));
      expect(unit.payload.toString('latin1')).toBe(payload.toString('latin1'));
    });
  }

  it('V1.x: a pipe says of zlib once that it takes a file, also where the unit is passed over', async () => {
    const file = buildV1('1.2', [{ name: 'text', payload: Buffer.from('to be') }], 3);
    const { good, errors } = await readTolerantly(streamSource(Readable.from([file]), 'pipe'));
    expect([good, errors.map((error) => error.code)]).toEqual([[], ['zlib-on-pipe']]);
  });

  for (const type of [0, 1, 4, 6, 255]) {
    it(`V1.x: of compressor type ${type} is refused`, async () => {
      const file = buildV1('1.2', [{ name: 'text', records: Buffer.of(type, 1, 2, 3) }]);
      expect(await codeOf(file)).toMatch(/^(bad-compression|unsupported-compression)$/);
    });
  }
});

describe('headers', () => {
  it('whose unit name is 49 bytes long, or not terminated, are refused', async () => {
    const file = buildV2([{ name: 'n'.repeat(48), payload: Buffer.of(1) }]);
    expect(await codeOf(file)).toBe('bad-unit');
    const open = buildV2([{ name: 'name', payload: Buffer.of(1) }]);
    open[64 + 44 + 4] = 0x61;
    seal(open, 64, 64 + 49, 64 + 20);
    expect(await codeOf(open)).toBe('bad-unit');
  });

  it('a record in a unit may be empty', async () => {
    expect(
      await codeOf(
        buildV2([{ name: 'empty', records: Buffer.concat([rawRecord(Buffer.alloc(0)), rawRecord(Buffer.of(1))]) }]),
      ),
    ).toBe('read');
  });
});
