import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../files/source.ts';
import {
  buildV1,
  buildV2,
  type HeaderSpec,
  literals,
  randomPage,
  rawRecord,
  type UnitSpec,
} from '../testing/container-builder.ts';
import { readStrictly } from '../testing/container-reading.ts';
import { MemorySink } from '../testing/memory-sink.ts';
import type { ContainerFormat } from './container.ts';
import { createContainer } from './writing/create-container.ts';

// The worked examples of vectors.md: whole files, known by length and SHA-256. The test puts them together by hand;
// readers then have to find their contents.

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const PA = Buffer.from(Array.from({ length: 4096 }, (_, i) => 1 + (i % 4)));
const PB = Buffer.alloc(4096, 0xa5);
const PR = Buffer.from(randomPage());
/** Bytes as which liblzf stores pages of zeros, PA and PB. */
const runLzf = (byte: string) => hex(`01 ${byte} ${byte} ${'e0ff00'.repeat(15)} e07b00 01 ${byte} ${byte}`);
const LZF_ZERO = runLzf('00');
const LZF_PB = runLzf('a5');
const LZF_PA = hex(`04 01020304 01 e0ff03 ${'e1ff07'.repeat(14)} e17807 01 03 04`);

/** liblzf finds one match of three bytes, which saves nothing. */
const LZF_PR = Buffer.concat([literals(PR.subarray(0, 3218)), hex('28 a8'), literals(PR.subarray(3221))]);

/** The over-long size code that the writer reserves room for. */
const lzfRecord = (data: Buffer) => Buffer.concat([Buffer.of(0x93, 0xe0, 0x80, 0x80 | (data.length + 1), 4), data]);
const rawPage = Buffer.concat([hex('92 e18080'), PR]);

function buildInfo(...strings: string[]): Buffer {
  const parts = [...strings, '', ''].map((text) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(text.length);
    return Buffer.concat([size, Buffer.from(text)]);
  });
  return Buffer.concat(parts);
}

const BUILD = ['Build Type', 'release', 'Host OS', 'linux.amd64'];
const DEMO_PAYLOAD = Buffer.concat([hex('44332211'), Buffer.alloc(4096), PA, PR, Buffer.from('tail!')]);

const block = (data: Buffer, size: number): Buffer => {
  const head = Buffer.alloc(10);
  head.writeUInt16LE(0x565a, 0);
  head.writeUInt16LE(data.length, 2);
  head.writeUInt16LE(size, 8);
  return Buffer.concat([head, data]);
};
const DEMO_V1: UnitSpec = {
  name: 'demo',
  records: Buffer.concat([
    Buffer.of(5),
    block(literals(hex('44332211')), 4),
    block(LZF_ZERO, 4096),
    block(LZF_PA, 4096),
    block(LZF_PR, 4096),
    block(literals(Buffer.from('tail!')), 5),
  ]),
};
const SSM_V1: UnitSpec = {
  name: 'SSM',
  records: Buffer.concat([Buffer.of(5), block(hex('07 03000000 4f5345 04 2006 03 74727565 2006 2000 01 0000'), 23)]),
};
const DEMO_V2: UnitSpec = {
  name: 'demo',
  records: Buffer.concat([
    rawRecord(hex('44332211')),
    hex('94 01 04'),
    lzfRecord(LZF_PA),
    rawPage,
    rawRecord(Buffer.from('tail!')),
  ]),
};

/** The live save: heads of its pgm passes, up to their first page, and what is between the pages of the last one. */
const LIVE_HEAD_0 = hex(
  '000000200060000000000000010000000000000000000700000050432042494f5300f0ffff000000000010000000000000ff02030000007667610000000000040000005652616d0020000000000000ff84010000000001',
);
const LIVE_HEAD_FINAL = hex(
  '020120190000000000000000000000000001000000060492190201201901ffffffffffffffff01000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff0604921986010000000001820200000000',
);
const LIVE_BETWEEN = hex('03 88 0020000000000000 81 0050000000000000');
const LIVE_BUILD = buildInfo(...BUILD);
const LIVE: UnitSpec[] = [
  { name: 'SSM', pass: 0, payload: LIVE_BUILD },
  {
    name: 'pgm',
    instance: 1,
    version: 14,
    pass: 0,
    records: Buffer.concat([rawRecord(LIVE_HEAD_0), lzfRecord(LZF_PB), rawRecord(hex('ff'))]),
  },
  { name: 'SSMLiveControl', pass: 0, payload: hex('5e24') },
  {
    name: 'pgm',
    instance: 1,
    version: 14,
    pass: 1,
    records: Buffer.concat([rawRecord(hex('80 0000000000000000 01')), lzfRecord(LZF_PA), rawRecord(hex('ff'))]),
  },
  { name: 'SSM', payload: LIVE_BUILD },
  {
    name: 'pgm',
    instance: 1,
    version: 14,
    records: Buffer.concat([
      rawRecord(LIVE_HEAD_FINAL),
      lzfRecord(LZF_PA),
      rawRecord(LIVE_BETWEEN),
      rawPage,
      rawRecord(hex('ff')),
    ]),
  },
];

const V2_HEADER: HeaderSpec = { release: [7, 0, 10, 158379] };

interface Example {
  what: string;
  file: Buffer;
  length: number;
  sha256: string;
  units: { name: string; payload: Buffer }[];
}

const EXAMPLES: Example[] = [
  {
    what: 'V1.1, smallest',
    file: buildV1('1.1', []),
    length: 92,
    sha256: '99b10501b3e524120e91d3f87f105853a209b05f5474dfd1d4bf0fd07fb3162a',
    units: [],
  },
  {
    what: 'V1.1 with a unit',
    file: buildV1('1.1', [DEMO_V1]),
    length: 4522,
    sha256: '5aff1f212874a1a56df828b979a94c365fcca76c358357d94063f6b84dc7011d',
    units: [{ name: 'demo', payload: DEMO_PAYLOAD }],
  },
  {
    what: 'V1.2, smallest',
    file: buildV1('1.2', []),
    length: 108,
    sha256: '9eaf560888b774f891a46219981f37da3a3cabf7a1df6791f2f414c32ee4ff67',
    units: [],
  },
  {
    what: 'V1.2 with units',
    file: buildV1('1.2', [SSM_V1, DEMO_V1]),
    length: 4604,
    sha256: 'f74c455fc26609243c15d0bfcfbacb64c37019133c1814e6fc4990cc35ec15be',
    units: [
      { name: 'SSM', payload: buildInfo('OSE', 'true') },
      { name: 'demo', payload: DEMO_PAYLOAD },
    ],
  },
  {
    what: 'V2.0, smallest',
    file: buildV2([], { ...V2_HEADER, registeredUnits: 0 }),
    length: 156,
    sha256: 'd983d0064958067f870a3d1831ff9bf4b3494bc2b7195f826d2c4974b116a0c2',
    units: [],
  },
  {
    what: 'V2.0 with units',
    file: buildV2([{ name: 'SSM', payload: buildInfo(...BUILD, 'OSE', 'true') }, DEMO_V2], {
      ...V2_HEADER,
      registeredUnits: 2,
    }),
    length: 4571,
    sha256: '641afe844a57e5efd2dcf00bb54ddbc801cb4e47d28b4b84a950a2eaee9735a9',
    units: [
      { name: 'SSM', payload: buildInfo(...BUILD, 'OSE', 'true') },
      { name: 'demo', payload: DEMO_PAYLOAD },
    ],
  },
  {
    what: 'of a live save',
    file: buildV2(LIVE, { release: [7, 0, 10, 158379], registeredUnits: 2, live: true }),
    length: 5216,
    sha256: 'a7d00de6d80420111a1cb94f8cedda84a9e2b71efb38587f80e3697b773c98aa',
    units: [
      { name: 'SSM', payload: LIVE_BUILD },
      { name: 'pgm', payload: Buffer.concat([LIVE_HEAD_0, PB, hex('ff')]) },
      { name: 'SSMLiveControl', payload: hex('5e24') },
      { name: 'pgm', payload: Buffer.concat([hex('80 0000000000000000 01'), PA, hex('ff')]) },
      { name: 'SSM', payload: LIVE_BUILD },
      { name: 'pgm', payload: Buffer.concat([LIVE_HEAD_FINAL, PA, LIVE_BETWEEN, PR, hex('ff')]) },
    ],
  },
];

for (const { what, file, length, sha256: expected, units } of EXAMPLES) {
  describe(`the worked example ${what}`, () => {
    it('is put together right', () => {
      expect(file.length).toBe(length);
      expect(sha256(file)).toBe(expected);
    });

    it('reads and checks', async () => {
      const read = await readStrictly(bufferSource(file));
      expect(read.map(({ name, payload }) => [name, sha256(payload)])).toEqual(
        units.map(({ name, payload }) => [name, sha256(payload)]),
      );
    });
  });
}

describe('createContainer()', () => {
  for (const [format, release, expected] of [
    ['1.1', [3, 0, 14, 58977], EXAMPLES[0].sha256],
    ['1.2', [3, 0, 14, 58977], EXAMPLES[2].sha256],
    ['2.0', [7, 0, 10, 158379], EXAMPLES[4].sha256],
  ] as const) {
    it(`writes the smallest V${format} file byte for byte`, async () => {
      const [major, minor, build, revision] = release;
      const sink = new MemorySink();
      const header = {
        release: { major, minor, build, revision },
        hostBits: 64,
        widths: { gcPhys: 8, gcPtr: 8 },
        live: false,
        registeredUnits: 0,
      } as const;
      await createContainer(sink, format as ContainerFormat, header).finish();
      expect(sha256(sink.view())).toBe(expected);
    });
  }
});
