import { gzipSync } from 'node:zlib';
import { MIB } from '../../../../formats/sizes.ts';

// Changes of states of QEMU that know what stands where: sections, records, descriptions, containers.

/** Draws numbers below a limit. */
export type Draw = (limit: number) => number;
type Change = (bytes: Buffer, draw: Draw) => Buffer;

const ODD32 = [
  0, 1, 2, 0x7f, 0xff, 0x100, 0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];
const ODD64 = [
  0n,
  1n,
  0xfffn,
  0x1000n,
  1n << 31n,
  1n << 32n,
  1n << 40n,
  (1n << 52n) - 1n,
  1n << 53n,
  1n << 62n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
];
const MARKS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 0x7e, 0xff];

/** Offsets of all occurrences of a text in the bytes. */
function places(bytes: Buffer, words: string): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(words, 0, 'latin1'); at >= 0; at = bytes.indexOf(words, at + 1, 'latin1')) found.push(at);
  return found;
}

function pick<T>(list: readonly T[], draw: Draw): T | undefined {
  return list.length === 0 ? undefined : list[draw(list.length)];
}

function put32(bytes: Buffer, at: number, draw: Draw): Buffer {
  if (at >= 0 && at + 4 <= bytes.length) bytes.writeUInt32BE(pick(ODD32, draw) ?? 0, at);
  return bytes;
}

function put64(bytes: Buffer, at: number, draw: Draw): Buffer {
  if (at >= 0 && at + 8 <= bytes.length) bytes.writeBigUInt64BE(pick(ODD64, draw) ?? 0n, at);
  return bytes;
}

/** Names that stand in heads of sections, in lists of blocks, in the description. */
const NAMES = [
  'ram',
  'cpu',
  'apic',
  'timer',
  'pc.ram',
  'pc.bios',
  'globalstate',
  'cpu_common',
  'fw_cfg',
  'PCIBUS',
  'i8259',
  'configuration/capabilities',
  'mapped-ram',
];

/** Changes one thing of the description, whose length stays or is made to fit. */
function describe(bytes: Buffer, draw: Draw, change: (json: string) => string): Buffer {
  const start =
    bytes.lastIndexOf('{"configuration"') >= 0
      ? bytes.lastIndexOf('{"configuration"')
      : bytes.lastIndexOf('{"page_size"');
  if (start < 5) return bytes;
  const end = start + bytes.readUInt32BE(start - 4);
  const json = Buffer.from(change(bytes.toString('latin1', start, Math.min(end, bytes.length))), 'latin1');
  const result = Buffer.concat([bytes.subarray(0, start), json, bytes.subarray(Math.min(end, bytes.length))]);
  if (draw(8) > 0) result.writeUInt32BE(json.length, start - 4);
  return result;
}

const ODD_JSON = [
  '-1',
  '1e308',
  '9007199254740993',
  '4294967296',
  'null',
  '"x"',
  '[]',
  '{}',
  'true',
  '0',
  '1.5',
  '99999999999',
];

/** @param what a regular expression with flag g */
function replaceOne(json: string, what: RegExp, draw: Draw, by: (found: string) => string): string {
  what.lastIndex = draw(json.length);
  const chosen = what.exec(json);
  if (!chosen) return json;
  return json.slice(0, chosen.index) + by(chosen[0]) + json.slice(chosen.index + chosen[0].length);
}

export const CHANGES: Readonly<Record<string, Change>> = {
  flip: (bytes, draw) => {
    bytes[draw(bytes.length)] ^= 1 << draw(8);
    return bytes;
  },
  cut: (bytes, draw) => bytes.subarray(0, draw(bytes.length)),
  'number of 32 bits': (bytes, draw) => put32(bytes, draw(bytes.length), draw),
  'number of 64 bits': (bytes, draw) => put64(bytes, draw(bytes.length), draw),
  fill: (bytes, draw) => {
    const at = draw(bytes.length);
    return bytes.fill(draw(2) * 255, at, Math.min(bytes.length, at + draw(5000)));
  },
  'bytes gone': (bytes, draw) => {
    const at = draw(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(64))]);
  },
  'bytes twice': (bytes, draw) => {
    const at = draw(bytes.length);
    return Buffer.concat([bytes.subarray(0, at + 1 + draw(9000)), bytes.subarray(at)]);
  },
  'near a name': (bytes, draw) => {
    const at = pick(places(bytes, pick(NAMES, draw) ?? ''), draw);
    return at === undefined ? bytes : put32(bytes, at - 12 + draw(32), draw);
  },
  'length of a name': (bytes, draw) => {
    const at = pick(places(bytes, pick(NAMES, draw) ?? ''), draw);
    if (at !== undefined && at > 0) bytes[at - 1] = draw(256);
    return bytes;
  },
  'mark of a section': (bytes, draw) => {
    const at = pick(places(bytes, pick(NAMES, draw) ?? ''), draw);
    if (at !== undefined && at >= 6) bytes[at - 6] = pick(MARKS, draw) ?? 0;
    return bytes;
  },
  'size of a block': (bytes, draw) => {
    const name = pick(['pc.ram', 'pc.bios', 'pc.rom', 'vga.vram'], draw) ?? '';
    const at = pick(places(bytes, name), draw);
    return at === undefined ? bytes : put64(bytes, at + name.length, draw);
  },
  'head of mapped RAM': (bytes, draw) => {
    const at = pick(places(bytes, 'pc.ram'), draw);
    return at === undefined ? bytes : put64(bytes, at + 6 + 8 + (pick([0, 4, 12, 20], draw) ?? 0), draw);
  },
  'flags of a record': (bytes, draw) => {
    const at = 200 + draw(Math.max(1, bytes.length - 400));
    const word = bytes.indexOf(Buffer.from([0x20, 0x08]), at);
    if (word > 0)
      bytes.writeUInt16BE(
        (pick([1, 2, 4, 8, 0x10, 0x40, 0x80, 0x100, 0x200, 0x400], draw) ?? 0) | (draw(2) * 0x20),
        word,
      );
    return bytes;
  },
  'a number in the description': (bytes, draw) =>
    describe(bytes, draw, (json) => replaceOne(json, /(?<=: )\d+/g, draw, () => pick(ODD_JSON, draw) ?? '0')),
  'a name in the description': (bytes, draw) =>
    describe(bytes, draw, (json) =>
      replaceOne(
        json,
        /"(name|vmsd_name|fields|struct|size|array_len|index|version)"/g,
        draw,
        () => pick(['"__proto__"', '"constructor"', '"size"', '""', '"struct"'], draw) ?? '""',
      ),
    ),
  'a deep description': (bytes, draw) =>
    describe(bytes, draw, (json) => {
      const depth = pick([20, 33, 127, 129, 5000, 1_000_000], draw) ?? 1;
      const before = '{"fields": [{"name": "x", "type": "struct", "size": 0, "struct": ';
      const deep = `${before.repeat(depth)}{}${'}]}'.repeat(depth)}`;
      return draw(2) > 0
        ? json.replace('"fields": [', `"fields": [{"name": "y", "type": "struct", "size": 0, "struct": ${deep}}, `)
        : `${'['.repeat(depth)}${json}`;
    }),
  'a wide description': (bytes, draw) =>
    describe(bytes, draw, (json) => {
      const size = pick([10_000, 100_001, 2_000_000], draw) ?? 1;
      const field = '{"name":"w","type":"x","size":0},';
      return json.replace('"fields": [', `"fields": [${field.repeat(Math.min(size, (64 * MIB) / field.length))}`);
    }),
  'a long description': (bytes, draw) =>
    describe(bytes, draw, (json) => `${json.slice(0, -1)}${' '.repeat((pick([15, 17, 63, 65], draw) ?? 1) * MIB)}}`),
  'head of a save image': (bytes, draw) => {
    if (bytes.length > 92) bytes.writeUInt32LE(pick(ODD32, draw) ?? 0, 16 + 4 * draw(5));
    return bytes;
  },
  'an image that never ends': (bytes, draw) => {
    if (bytes.toString('latin1', 0, 7) !== 'Libvirt') return bytes;
    const stream = 92 + bytes.readUInt32LE(20);
    const zeros = gzipSync(Buffer.alloc(64 * MIB, draw(2) * 0x10), { level: 1 });
    bytes.writeUInt32LE(1, 28);
    // Members one after the other are one stream to gzip: gigabytes out of kilobytes.
    return Buffer.concat([
      bytes.subarray(0, stream),
      gzipSync(Buffer.from('QEVM\0\0\0\x03', 'latin1')),
      ...Array.from({ length: 1 + draw(40) }, () => zeros),
    ]);
  },
  'head of a disk image': (bytes, draw) =>
    bytes.toString('latin1', 0, 3) !== 'QFI'
      ? bytes
      : draw(2) > 0
        ? put32(bytes, 4 + 4 * draw(24), draw)
        : put64(bytes, 8 * draw(12), draw),
  'tables of a disk image': (bytes, draw) => {
    if (bytes.toString('latin1', 0, 3) !== 'QFI' || bytes.length < 104) return bytes;
    const table = Number(bytes.readBigUInt64BE(64));
    const size = Math.min(1 << (bytes.readUInt32BE(20) & 31), bytes.length);
    if (!(table + 48 < bytes.length)) return bytes;
    if (draw(3) === 0) return put32(bytes, table + 4 * draw(16), draw);
    const l1 = Number(bytes.readBigUInt64BE(table));
    // An entry that leads to its own table, to the header, beyond the end, into the midst of a cluster.
    const target = pick([l1, table, 0, size * (bytes.length / size), l1 + 512, draw(bytes.length)], draw) ?? 0;
    const level =
      draw(2) === 0 ? l1 : Number((l1 + 8 <= bytes.length ? bytes.readBigUInt64BE(l1) : 0n) & 0x00ff_ffff_ffff_fe00n);
    const at = level + 8 * draw(64);
    if (at + 8 <= bytes.length && at >= 0)
      bytes.writeBigUInt64BE(BigInt(Math.floor(target)) | (pick([0n, 1n, 1n << 62n, 1n << 63n], draw) ?? 0n), at);
    return bytes;
  },
};
