import { describe, expect, it } from 'vitest';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import { PB } from '../testing/pgm-examples.ts';
import { pageName } from '../testing/pgm-memory.ts';
import { configOf, joined, liveStateOf, ramRecord, rangeRecord, stateOf, TINY } from '../testing/pgm-parts.ts';
import { readPgm } from '../testing/pgm-reading.ts';

const content = pageName(PB);
const memoryOf = async (...records: PgmBytes[]) => (await readPgm(stateOf({ end: joined(...records) }))).memory;

describe('records without an address', () => {
  it('go on at the next RAM page', async () => {
    const memory = await memoryOf(ramRecord(1, 0x5000), ramRecord(1), ramRecord(8), ramRecord(1));
    expect(['0x5000', '0x6000', '0x7000', '0x8000'].map((address) => memory.get(`ram ${address}`))).toEqual([
      content,
      content,
      'balloon',
      content,
    ]);
  });

  it('go on at the next page of the same MMIO2 range', async () => {
    const memory = await memoryOf(rangeRecord(3, 1), rangeRecord(2), rangeRecord(2));
    expect([0, 1, 2].map((page) => memory.get(`mmio2 1:${page}`))).toEqual(['zero', content, content]);
  });

  it('go on at the next page of the same ROM, whatever kind of ROM record they are', async () => {
    const memory = await memoryOf(rangeRecord(7, 4), rangeRecord(5));
    expect(memory.get('protection 0xe2000')).toBe(1);
    expect(memory.get('shadow 0xe3000')).toBe(content);
    expect(memory.get('protection 0xe3000')).toBe(1);
  });

  it('go on after the page of a ROM_PROT record when they are RAM records: the loader leaves the address there', async () => {
    const config = configOf({
      ...TINY,
      roms: TINY.roms.map((rom) => ({ ...rom, address: rom.id === 4 ? 0x200000 : rom.address })),
    });
    const { memory } = await readPgm(stateOf({ config, end: joined(rangeRecord(7, 4, 1), ramRecord(1)) }));
    expect(memory.get('ram 0x202000')).toBe(content);
  });

  it.each([4, 5, 6])('are no RAM records after a ROM record of type %i', async (type) => {
    await expect(memoryOf(rangeRecord(type, 4), ramRecord(0))).rejects.toMatchObject({
      vboxCode: 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED',
    });
  });

  it('share id and page between ROM and MMIO2, as the loader has it', async () => {
    expect((await memoryOf(rangeRecord(7, 1), rangeRecord(2))).get('mmio2 1:1')).toBe(content);
    expect((await memoryOf(rangeRecord(3, 2), rangeRecord(4))).get('virgin 0xf1000')).toBe(content);
  });

  it('lose id and page with a RAM record between', async () => {
    const notFound = { vboxCode: 'VERR_PGM_SAVED_ROM_RANGE_NOT_FOUND' };
    await expect(memoryOf(rangeRecord(4, 2), ramRecord(0, 0x1000), rangeRecord(4))).rejects.toMatchObject(notFound);
  });

  it('run to the last page of a range and no further', async () => {
    await expect(memoryOf(rangeRecord(3, 2), rangeRecord(3))).rejects.toMatchObject({
      vboxCode: 'VERR_PGM_SAVED_MMIO2_PAGE_NOT_FOUND',
    });
    await expect(memoryOf(ramRecord(0, 0x3ff000), ramRecord(0))).rejects.toMatchObject({
      vboxCode: 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS',
    });
  });

  it('go on from one batch to the next', async () => {
    const { memory, records } = await readPgm(
      stateOf({ front: joined(ramRecord(1, 0x100000), ...Array.from({ length: 767 }, () => ramRecord(0))) }),
    );
    expect(records[0] + records[1]).toBe(928 + 768);
    expect(memory.get('ram 0x3ff000')).toBe('zero');
  });
});

describe('each pass starts afresh', () => {
  it.each([
    ['RAM', ramRecord(0, 0x1000), ramRecord(0), 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED'],
    ['MMIO2', rangeRecord(3, 1), rangeRecord(3), 'VERR_PGM_SAVED_MMIO2_RANGE_NOT_FOUND'],
    ['ROM', rangeRecord(4, 2), rangeRecord(4), 'VERR_PGM_SAVED_ROM_RANGE_NOT_FOUND'],
  ])('so that a %s record without an address is refused at its start', async (_, before, record, vboxCode) => {
    await expect(readPgm(liveStateOf([new PgmBytes(), before, record, new PgmBytes()]))).rejects.toMatchObject({
      vboxCode,
    });
    await expect(readPgm(liveStateOf([new PgmBytes(), joined(before, record), new PgmBytes()]))).resolves.toBeDefined();
  });
});

describe('ballooned pages', () => {
  it.each([10, 11, 12, 13, 14])('are read in version %i, although only 13 and 14 write them', async (version) => {
    const { memory } = await readPgm(stateOf({ end: ramRecord(8, 0x2000) }, version));
    expect(memory.get('ram 0x2000')).toBe('balloon');
  });

  it('become RAM again with the next record', async () => {
    const memory = await memoryOf(ramRecord(8, 0x1000), ramRecord(8), ramRecord(0, 0x1000), ramRecord(1));
    expect([memory.get('ram 0x1000'), memory.get('ram 0x2000')]).toEqual(['zero', content]);
  });
});

describe('records at 0xA0000 to 0xFFFFF', () => {
  const OLDER: [number, number][] = [
    [3, 1],
    [4, 3],
    [5, 2],
    [6, 0],
  ];
  const NEWER: [number, number][] = [
    [6, 1],
    [7, 0],
    [7, 2],
  ];

  it.each(OLDER)('hold RAM in a state of release %i.%i', async (...release) => {
    for (const address of [0xa0000, 0xff000]) {
      const { memory } = await readPgm(stateOf({ end: ramRecord(1, address) }, 14, release));
      expect(memory.get(`ram 0x${address.toString(16)}`)).toBe(content);
    }
  });

  it.each(NEWER)('must not hold RAM in a state of release %i.%i', async (...release) => {
    for (const address of [0xa0000, 0xff000]) {
      for (const type of [1, 8]) {
        const reading = readPgm(stateOf({ end: ramRecord(type, address) }, 14, release));
        await expect(reading).rejects.toMatchObject({
          vboxCode: 'VERR_PGM_INVALID_GC_PHYSICAL_ADDRESS',
          place: { gcPhys: address },
        });
      }
    }
  });

  it.each([...OLDER, ...NEWER])('may be of zeros in a state of release %i.%i', async (...release) => {
    await expect(readPgm(stateOf({ end: ramRecord(0, 0xa0000) }, 14, release))).resolves.toBeDefined();
  });
});
