import { Packr } from 'msgpackr';
import { bytesOfLongs, swapLongs } from '../../../formats/binary/byte-order.ts';
import { FormatError } from '../../../formats/errors.ts';
import { MIB } from '../../../formats/sizes.ts';
import { checkJson } from '../../../formats/values/json-limits.ts';
import { checkMessagePack } from '../../../formats/values/message-pack.ts';
import { MAX_PAGES } from './hash-tree.ts';
import type { Manifest, ManifestRange, ManifestUnit } from './manifest.ts';

/** How a manifest stands in a file. */
export type ManifestEncoding = 'json' | 'msgpack';

/** Larger ones are not believed: 512 GiB of memory with contents take 1 GiB. */
export const MANIFEST_LIMIT = 1024 * 1024 * 1024;

/** The manifest, its memory, the ranges, a range, the runs, a run, hashes. */
const MAX_DEPTH = 8;
// A value takes some 60 bytes when it is read. A run of one page has five, and 28 bytes in msgpack, the shorter
// encoding.
const SMALL_MANIFEST_VALUES = 65536;
const LEAST_BYTES_OF_VALUE = 5;
/** Three million runs of pages. */
const MAX_VALUES = 16 * MIB;

/** Records are a msgpackr extension that other readers don't know. */
const packr = new Packr({ useRecords: false, moreTypes: false });
/** How lists of 64-bit hashes stand in both encodings: 8 bytes each, little endian; in JSON as base64. */
type Bytes = Uint8Array | string;

/** A manifest as bytes of a file. */
export function encodeManifest(manifest: Manifest, encoding: ManifestEncoding): Uint8Array {
  const write = (hashes: BigUint64Array): Bytes => {
    const bytes = bytesOfLongs(hashes);
    return encoding === 'json' ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64') : bytes;
  };
  const plain = {
    ...manifest,
    file: { ...manifest.file, blocks: write(manifest.file.blocks) },
    memory: {
      ...manifest.memory,
      ranges: manifest.memory.ranges.map((range) => ({
        ...range,
        runs: range.runs.map(({ page, hashes }) => ({ page, hashes: write(hashes) })),
      })),
    },
  };
  return encoding === 'json' ? Buffer.from(`${JSON.stringify(plain, null, 1)}\n`) : packr.pack(plain);
}

/** Reads either encoding. @throws FormatError `bad-manifest` for anything that is no manifest */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const value = parse(bytes);
  const file = record(value.file, 'file');
  const memory = record(value.memory, 'memory');
  if (value.manifest !== 'savkit/manifest/1') throw bad(`it is not marked as one of version 1`);
  return {
    manifest: 'savkit/manifest/1',
    created: text(value.created, 'created'),
    file: {
      name: text(file.name, 'file.name'),
      size: count(file.size, 'file.size'),
      sha256: text(file.sha256, 'file.sha256'),
      blocks: hashes(file.blocks, 'file.blocks'),
    },
    container: text(value.container, 'container'),
    ...(value.release === undefined ? {} : { release: text(value.release, 'release') }),
    units: ascending(
      list(value.units, 'units').map((unit) => ({
        name: text(unit.name, 'units.name'),
        instance: count(unit.instance, 'units.instance'),
        version: count(unit.version, 'units.version'),
        pass: unit.pass === 'final' ? 'final' : count(unit.pass, 'units.pass'),
        offset: count(unit.offset, 'units.offset'),
        size: count(unit.size, 'units.size'),
        sha256: text(unit.sha256, 'units.sha256'),
      })),
    ),
    fields: Object.fromEntries(
      Object.entries(record(value.fields, 'fields')).map(([name, field]) => [name, text(field, 'fields')]),
    ),
    memory: {
      root: text(memory.root, 'memory.root'),
      ranges: list(memory.ranges, 'memory.ranges').map((range) => ({
        name: text(range.name, 'memory.ranges.name'),
        root: text(range.root, 'memory.ranges.root'),
        runs: list(range.runs, 'memory.ranges.runs').map(runOf),
      })),
    },
  };
}

/** Units follow each other in a file. */
function ascending(units: ManifestUnit[]): ManifestUnit[] {
  const at = units.findIndex(({ offset }, i) => i > 0 && offset < units[i - 1].offset + units[i - 1].size);
  if (at >= 0) throw bad(`unit ${at} begins before the one in front of it ends`);
  return units;
}

function runOf(run: Json): ManifestRange['runs'][number] {
  const found = { page: count(run.page, 'page'), hashes: hashes(run.hashes, 'hashes') };
  if (found.page + found.hashes.length > MAX_PAGES) throw bad(`page ${found.page} is beyond what a machine can have`);
  return found;
}

type Json = Record<string, unknown>;

function parse(bytes: Uint8Array): Json {
  try {
    const limits = {
      depth: MAX_DEPTH,
      values: Math.min(MAX_VALUES, SMALL_MANIFEST_VALUES + Math.floor(bytes.length / LEAST_BYTES_OF_VALUE)),
    };
    const isJson = bytes[0] === 0x7b;
    (isJson ? checkJson : checkMessagePack)(bytes, limits);
    const value: unknown = isJson
      ? JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'))
      : packr.unpack(bytes);
    return record(value, 'manifest');
  } catch (error) {
    throw bad(`it is neither JSON nor msgpack (${(error as Error).message})`);
  }
}

function record(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} is not an object`);
  return value as Json;
}

function list(value: unknown, what: string): Json[] {
  if (!Array.isArray(value)) throw bad(`${what} is not a list`);
  return value.map((item) => record(item, what));
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw bad(`${what} is not text`);
  return value;
}

function count(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw bad(`${what} is not a number of things`);
  return value;
}

function hashes(value: unknown, what: string): BigUint64Array {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : value;
  if (!(bytes instanceof Uint8Array) || bytes.length % 8 !== 0) throw bad(`${what} is not a list of hashes`);
  return new BigUint64Array(swapLongs(Uint8Array.from(bytes)).buffer);
}

function bad(what: string): FormatError {
  return new FormatError('bad-manifest', `Cannot read manifest: ${what}`);
}
