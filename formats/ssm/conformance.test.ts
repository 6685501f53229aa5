import { describe, expect, it } from 'vitest';
import { bufferSource } from '../files/source.ts';
import {
  buildV1,
  buildV2,
  type Kept,
  literals,
  type Places,
  placesIn,
  randomPage,
  rawRecord,
  resealV1,
  resealV2,
  sizeCode,
} from '../testing/container-builder.ts';
import { readStrictly } from '../testing/container-reading.ts';

// The answers of the real loader of 7.2.22 to one change in a good file, every CRC recomputed unless it is the change
// itself. Rows about a running machine's registered units, and those that its API answers before the loader does, can't
// be judged by the file alone.

const MM = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const UNITS = [
  { name: 'SSM', payload: Buffer.from('first unit') },
  { name: 'mm', instance: 1, version: 2, payload: MM },
  { name: 'pages', payload: randomPage() },
];

type Change = (file: Buffer, places: Places) => void;

/** `undefined`: the file is read. */
type Row = [what: string, answer: string | undefined, change: Change, keep?: Kept[]];

const u32 =
  (at: (places: Places) => number, value: number): Change =>
  (file, places) =>
    void file.writeUInt32LE(value, at(places));
const byte =
  (at: (places: Places) => number, value: number): Change =>
  (file, places) =>
    void file.writeUInt8(value, at(places));
const flip =
  (at: (places: Places) => number): Change =>
  (file, places) =>
    void file.writeUInt8(file[at(places)] ^ 0x55, at(places));
const mm = ({ units }: Places) => units[1];

const HEADER_ROWS: Row[] = [
  ['nothing', undefined, () => {}],
  ['first magic byte', 'VERR_SSM_INTEGRITY_MAGIC', byte(() => 1, 0x57)],
  ['magic "V2.1"', 'VERR_SSM_INTEGRITY_VERSION', byte(() => 26, 0x31)],
  ['header CRC', 'VERR_SSM_INTEGRITY_CRC', flip(() => 60), ['header']],
  ['header reserved byte', 'VERR_SSM_INTEGRITY', byte(() => 47, 1)],
  ['fFlags bit 2', 'VERR_SSM_INTEGRITY', byte(() => 52, 5)],
  ['cbMaxDecompr 512', 'VERR_SSM_INTEGRITY', u32(() => 56, 512)],
  ['cbMaxDecompr 8192', 'VERR_SSM_INTEGRITY', u32(() => 56, 8192)],
  ['cbMaxDecompr 1025', 'VERR_SSM_INTEGRITY', u32(() => 56, 1025)],
  ['cbMaxDecompr 1024', undefined, u32(() => 56, 1024)],
  ['major 0', 'VERR_SSM_INTEGRITY_VBOX_VERSION', byte(() => 32, 0)],
  ['revision 0', 'VERR_SSM_INTEGRITY_VBOX_VERSION', u32(() => 40, 0)],
  ['revision 10000001', 'VERR_SSM_INTEGRITY_VBOX_VERSION', u32(() => 40, 10000001)],
  ['host bits 16', 'VERR_SSM_INTEGRITY_HEADER', byte(() => 44, 16)],
  ['cbGCPhys 5', 'VERR_SSM_INTEGRITY_HEADER', byte(() => 45, 5)],
  ['cUnits 999', undefined, u32(() => 48, 999)],
  ['live flag', undefined, byte(() => 52, 3)],
];

const FOOTER_ROWS: Row[] = [
  ['footer magic', 'VERR_SSM_INTEGRITY_FOOTER', flip(({ footer }) => footer)],
  [
    'footer offset',
    'VERR_SSM_INTEGRITY_FOOTER',
    (file, { footer }) => sealFooter(file, footer, () => file.writeUInt32LE(77, footer + 8)),
    ['footer'],
  ],
  [
    'footer reserved',
    'VERR_SSM_INTEGRITY_FOOTER',
    (file, { footer }) => sealFooter(file, footer, () => file.writeUInt32LE(1, footer + 24)),
    ['footer'],
  ],
  [
    'footer entry count',
    'VERR_SSM_INTEGRITY_FOOTER',
    (file, { footer }) => sealFooter(file, footer, () => file.writeUInt32LE(9, footer + 20)),
    ['footer'],
  ],
  [
    'footer stream CRC',
    'VERR_SSM_INTEGRITY_CRC',
    (file, { footer }) => sealFooter(file, footer, () => file.writeUInt32LE(9, footer + 16)),
    ['footer'],
  ],
  ['footer CRC', 'VERR_SSM_INTEGRITY_CRC', flip(({ footer }) => footer + 28), ['footer']],
  ['directory magic', 'VERR_SSM_INTEGRITY_DIR_MAGIC', flip(({ directory }) => directory)],
  ['directory CRC', 'VERR_SSM_INTEGRITY_CRC', flip(({ directory }) => directory + 8), ['directory']],
  ['directory entry offset 0', 'VERR_SSM_INTEGRITY_DIR', u32(({ directory }) => directory + 16, 0)],
  ['directory entry offset 63', 'VERR_SSM_INTEGRITY_DIR', u32(({ directory }) => directory + 16, 63)],
  ['directory entry offset huge', 'VERR_SSM_INTEGRITY_DIR', u32(({ directory }) => directory + 20, 0x7fffffff)],
  ['directory entry with a wrong name CRC', undefined, flip(({ directory }) => directory + 28)],
];

const UNIT_ROWS: Row[] = [
  ['unit magic byte 1', 'VERR_SSM_INTEGRITY_UNIT_MAGIC', byte((p) => mm(p).start + 1, 0x56)],
  ['last byte of the unit magic', 'VERR_SSM_INTEGRITY_UNIT_MAGIC', byte((p) => mm(p).start + 7, 1)],
  ['unit offStream', 'VERR_SSM_INTEGRITY_UNIT', flip((p) => mm(p).start + 8), ['unit offset']],
  ['unit stream CRC', 'VERR_SSM_INTEGRITY_UNIT', flip((p) => mm(p).start + 16), ['stream crc']],
  ['unit flags', 'VERR_SSM_INTEGRITY_UNIT', byte((p) => mm(p).start + 36, 1)],
  ['name not terminated', 'VERR_SSM_INTEGRITY_UNIT', byte((p) => mm(p).name + 2, 0x41)],
  ['unit header CRC', 'VERR_SSM_INTEGRITY_CRC', flip((p) => mm(p).start + 20), ['unit crc']],
  ['"mm" with pass 0', undefined, u32((p) => mm(p).start + 32, 0)],
  ['"mm" with version 99', undefined, u32((p) => mm(p).start + 24, 99)],
  ['end unit with pass 0', 'VERR_SSM_INTEGRITY_UNIT', u32(({ end }) => end + 32, 0)],
  ['end unit with version 1', 'VERR_SSM_INTEGRITY_UNIT', u32(({ end }) => end + 24, 1)],
];

const TERM_ROWS: Row[] = [
  ['TERM size 0F', 'VERR_SSM_INTEGRITY_REC_TERM', byte((p) => mm(p).term + 1, 15)],
  ['TERM important bit clear', 'VERR_SSM_INTEGRITY_REC_TERM', byte((p) => mm(p).term, 0x81)],
  ['TERM cbUnit', 'VERR_SSM_INTEGRITY_REC_TERM', flip((p) => mm(p).term + 8), ['term']],
  ['TERM flags bit 1', 'VERR_SSM_INTEGRITY_REC_TERM', byte((p) => mm(p).term + 2, 3), ['term']],
  ['TERM flags 0 with a CRC', 'VERR_SSM_INTEGRITY_REC_TERM', byte((p) => mm(p).term + 2, 0), ['term']],
  ['TERM CRC', 'VERR_SSM_INTEGRITY_REC_TERM_CRC', flip((p) => mm(p).term + 4), ['term']],
  ['TERM flags 0 and CRC 0', undefined, (file, p) => void file.fill(0, mm(p).term + 2, mm(p).term + 8), ['term']],
];

for (const rows of [HEADER_ROWS, FOOTER_ROWS, UNIT_ROWS, TERM_ROWS]) {
  describe('a V2.0 file with one thing changed', () => {
    for (const [what, answer, change, keep = []] of rows) {
      it(`${what}: ${answer ?? 'OK'}`, async () => {
        const file = buildV2(UNITS);
        const places = placesIn(file);
        const changesTerm = keep.includes('term')
          ? { ...places, units: places.units.filter((_, i) => i !== 1) }
          : places;
        change(file, places);
        resealV2(
          file,
          keep.filter((kept) => kept !== 'term'),
          sealable(changesTerm, what),
        );
        await expectAnswer(file, answer);
      });
    }
  });
}

/** Chooses the places whose checksums are made right again: a change to the TERM record of `mm` must stay. */
function sealable(places: Places, what: string): Places {
  return what.startsWith('TERM size') || what.startsWith('TERM important')
    ? { ...places, units: places.units.filter((_, i) => i !== 1) }
    : places;
}

function sealFooter(file: Buffer, footer: number, change: () => void): void {
  resealV2(file);
  change();
  resealV2(file, ['header', 'unit crc', 'unit offset', 'stream crc', 'term', 'directory', 'footer']);
  const view = file.subarray(footer);
  view.writeUInt32LE(0, 28);
  view.writeUInt32LE(crcOf(view), 28);
}

function crcOf(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const value of bytes) {
    crc ^= value;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

const LZF = literals(new Uint8Array(1024).fill(7));

describe('a V2.0 file with one record changed', () => {
  const rows: [string, string | undefined, Uint8Array][] = [
    ['type 0', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0x90, 16), MM])],
    ['type 6', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0x96, 16), MM])],
    ['type byte bit 6 set', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0xd2, 16), MM])],
    ['type 5 (NAMED)', 'VERR_SSM_BAD_REC_TYPE', Buffer.concat([Buffer.of(0x95, 16), MM])],
    ['without the important bit', undefined, Buffer.concat([Buffer.of(0x82, 16), MM])],
    ['size as c0 90', undefined, Buffer.concat([Buffer.of(0x92, 0xc0, 0x90), MM])],
    ['size as 80 90', undefined, Buffer.concat([Buffer.of(0x92, 0x80, 0x90), MM])],
    ['size as e0 80 90', undefined, Buffer.concat([Buffer.of(0x92, 0xe0, 0x80, 0x90), MM])],
    ['size as a0 80 90', undefined, Buffer.concat([Buffer.of(0x92, 0xa0, 0x80, 0x90), MM])],
    ['size as f0 80 80 90', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0x92, 0xf0, 0x80, 0x80, 0x90), MM])],
    ['size fe', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0x92, 0xfe), MM])],
    ['size ff', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0x92, 0xff), MM])],
    ['size as c0 10', 'VERR_SSM_INTEGRITY_REC_HDR', Buffer.concat([Buffer.of(0x92, 0xc0, 0x10), MM])],
    ['payload split into two', undefined, Buffer.concat([rawRecord(MM.subarray(0, 5)), rawRecord(MM.subarray(5))])],
    ['an empty one first', undefined, Buffer.concat([rawRecord(new Uint8Array(0)), rawRecord(MM)])],
    ['an empty one last', 'VERR_SSM_LOADED_TOO_LITTLE', Buffer.concat([rawRecord(MM), rawRecord(new Uint8Array(0))])],
    ['one byte more', 'VERR_SSM_LOADED_TOO_LITTLE', rawRecord(Buffer.concat([MM, Buffer.of(1)]))],
    ['one more record', 'VERR_SSM_LOADED_TOO_LITTLE', Buffer.concat([rawRecord(MM), rawRecord(Buffer.of(1))])],
    ['one byte less', 'VERR_SSM_LOADED_TOO_MUCH', rawRecord(MM.subarray(1))],
    ['RAW_ZERO of size 2', 'VERR_SSM_INTEGRITY_DECOMPRESSION', Buffer.of(0x94, 2, 1, 1)],
    ['RAW_ZERO of 5 KiB', 'VERR_SSM_INTEGRITY_DECOMPRESSION', Buffer.of(0x94, 1, 5)],
    ['RAW_LZF of size 1', 'VERR_SSM_INTEGRITY_DECOMPRESSION', Buffer.of(0x93, 1, 1)],
    [
      'RAW_LZF of 5 KiB',
      'VERR_SSM_INTEGRITY_DECOMPRESSION',
      Buffer.concat([Buffer.of(0x93), sizeCode(LZF.length + 1), Buffer.of(5), LZF]),
    ],
    [
      'RAW_LZF with garbage',
      'VERR_SSM_INTEGRITY_DECOMPRESSION',
      Buffer.concat([Buffer.of(0x93), sizeCode(9), Buffer.of(1), Buffer.from('ffffffff')]),
    ],
  ];
  for (const [what, answer, records] of rows) {
    it(`${what}: ${answer ?? 'OK'}`, async () => {
      // Records that make no sense can't be walked to seal what follows, so the file is made with a good one and the
      // bad one patched in before its end.
      const units = UNITS.map((unit) => (unit.name === 'mm' ? { ...unit, records } : unit));
      await expectAnswer(tryBuild(units), answer);
    });
  }
});

/** With records that can't be walked the file is cut after them: the loader never gets further. */
function tryBuild(units: Parameters<typeof buildV2>[0]): Buffer {
  const bad = units[1].records as Buffer;
  const good = buildV2(
    units.map((unit, i) =>
      i === 1
        ? { ...unit, records: rawRecord(new Uint8Array(Math.max(0, bad.length - 2 - (bad.length > 129 ? 1 : 0)))) }
        : unit,
    ),
  );
  const places = placesIn(good);
  const { records, term } = places.units[1];
  if (term - records !== bad.length) return buildV2(units);
  bad.copy(good, records);
  return resealV2(good, [], places);
}

describe('a V2.0 file', () => {
  it('without stream CRCs is read', async () => {
    await expectAnswer(buildV2(UNITS, { streamCrc: false }), undefined);
  });
  it('with a unit twice, or in another order, is read', async () => {
    await expectAnswer(buildV2([...UNITS, UNITS[0]]), undefined);
    await expectAnswer(buildV2([...UNITS].reverse()), undefined);
  });
  it('with bytes appended or cut off answers VERR_SSM_INTEGRITY_FOOTER', async () => {
    const file = buildV2(UNITS);
    await expectAnswer(Buffer.concat([file, Buffer.of(0)]), 'VERR_SSM_INTEGRITY_FOOTER');
    await expectAnswer(file.subarray(0, file.length - 100), 'VERR_SSM_INTEGRITY_FOOTER');
  });
});

describe('a V1.2 file with one thing changed', () => {
  const write = (at: number, value: number) => (file: Buffer) => void file.writeUInt8(value, at);
  const sealed = (change: (file: Buffer) => void) => (file: Buffer) => {
    change(file);
    resealV1(file);
  };
  const rows: [string, string | undefined, (file: Buffer) => void][] = [
    ['nothing', undefined, () => {}],
    ['body byte', 'VERR_SSM_INTEGRITY_CRC', (file) => void file.writeUInt8(file[150] ^ 1, 150)],
    ['last byte of the file', undefined, (file) => void file.writeUInt8(1, file.length - 1)],
    ['UUID byte', 'VERR_SMM_INTEGRITY_MACHINE', sealed(write(50, 1))],
    ['UUID byte, wrong CRC', 'VERR_SMM_INTEGRITY_MACHINE', write(50, 1)],
    ['cbFile', 'VERR_SSM_INTEGRITY_SIZE', (file) => void file.writeUInt8(file[32] ^ 1, 32)],
    ['revision 0', 'VERR_SSM_INTEGRITY_VBOX_VERSION', sealed((file) => void file.writeUInt32LE(0, 72))],
    ['host bits 16', 'VERR_SSM_INTEGRITY_HEADER', sealed(write(76, 16))],
    ['unit magic', 'VERR_SSM_INTEGRITY_UNIT_MAGIC', sealed(write(81, 0x56))],
    ['eighth byte of the unit magic', undefined, sealed(write(87, 9))],
  ];
  for (const [what, answer, change] of rows) {
    it(`${what}: ${answer ?? 'OK'}`, async () => {
      const file = buildV1('1.2', UNITS);
      change(file);
      await expectAnswer(file, answer);
    });
  }

  it('a byte appended: VERR_SSM_INTEGRITY_SIZE', async () => {
    await expectAnswer(Buffer.concat([buildV1('1.2', UNITS), Buffer.of(0)]), 'VERR_SSM_INTEGRITY_SIZE');
  });
});

async function expectAnswer(file: Buffer, answer: string | undefined): Promise<void> {
  const reading = readStrictly(bufferSource(file));
  if (answer === undefined) await expect(reading).resolves.toBeDefined();
  else await expect(reading).rejects.toMatchObject({ name: 'FormatError', vboxCode: answer });
}
