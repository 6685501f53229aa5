import { bytesOfLongs, swapLongs } from '../../../formats/binary/byte-order.ts';
import { FormatError, type Pass } from '../../../formats/errors.ts';
import { MIB } from '../../../formats/sizes.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';
import { checkJson } from '../../../formats/values/json-limits.ts';
import { packMessage, unpackMessage } from '../../../formats/values/message-pack.ts';
import {
  anything,
  checkShape,
  count,
  list,
  made,
  mapOf,
  oneOf,
  optional,
  record,
  type Shape,
  such,
  text,
} from '../../../formats/values/shape.ts';
import { MAX_PAGES } from './hash-tree.ts';
import type { Manifest, ManifestUnit } from './manifest.ts';

export const MANIFEST_ENCODINGS = ['json', 'msgpack'] as const;
/** Encoding of a manifest in a file. */
export type ManifestEncoding = (typeof MANIFEST_ENCODINGS)[number];

/** Largest manifest that is read: 512 GiB of memory with contents take 1 GiB. */
export const MANIFEST_LIMIT = 1024 * 1024 * 1024;

/** Maximum number of levels: the manifest, its memory, the ranges, a range, the runs, a run, hashes. */
const MAX_DEPTH = 8;
// A value takes some 60 bytes of memory. A run of one page has five values, and 28 bytes in msgpack, the shorter
// encoding.
const SMALL_MANIFEST_VALUES = 65536;
const LEAST_BYTES_OF_VALUE = 5;
/** Enough for three million runs of pages. */
const MAX_VALUES = 16 * MIB;

/** Lists of 64-bit hashes in both encodings: 8 bytes each, little-endian; in JSON as base64. */
type Bytes = Uint8Array | string;

/** Encodes a manifest. @throws UsageError `bad-value` for another encoding */
export function encodeManifest(manifest: Manifest, encoding: ManifestEncoding): Uint8Array {
  chosenFrom('encoding', encoding, MANIFEST_ENCODINGS);
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
  return encoding === 'json' ? Buffer.from(`${JSON.stringify(plain, null, 1)}\n`) : packMessage(plain);
}

const words = text(Number.MAX_SAFE_INTEGER);
const listed = <T>(of: Shape<T>) => list(of, MAX_VALUES);

const hashes = made(
  anything,
  (value) => {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : value;
    if (!(bytes instanceof Uint8Array) || bytes.length % 8 !== 0) return undefined;
    return new BigUint64Array(swapLongs(Uint8Array.from(bytes)).buffer);
  },
  'a list of hashes',
);

const run = such(
  record({ page: count, hashes }),
  ({ page, hashes }) => page + hashes.length <= MAX_PAGES,
  'a run of pages that a machine can have',
);

const unit = record({
  name: words,
  instance: count,
  version: count,
  pass: (value): Pass => (value === 'final' ? value : count(value)),
  offset: count,
  size: count,
  sha256: words,
});

const manifestShape: Shape<Manifest> = record({
  manifest: oneOf('savkit/manifest/1'),
  created: words,
  file: record({ name: words, size: count, sha256: words, blocks: hashes }),
  container: words,
  release: optional(words),
  units: such(listed(unit), followEachOther, 'a list of units that follow each other in the file'),
  fields: such(mapOf(words), hasNoPrototype, 'a table of names that both encodings hold'),
  memory: record({ root: words, ranges: listed(record({ name: words, root: words, runs: listed(run) })) }),
});

/** Reads either encoding. @throws FormatError `bad-manifest` for anything that is no manifest */
export function decodeManifest(bytes: Uint8Array): Manifest {
  return checkShape(parse(bytes), manifestShape, bad);
}

function followEachOther(units: readonly ManifestUnit[]): boolean {
  return units.every(({ offset }, i) => i === 0 || offset >= units[i - 1].offset + units[i - 1].size);
}

/** The library for msgpack gives a field of this name another one, lest it becomes an object's prototype. */
function hasNoPrototype(fields: object): boolean {
  return !Object.hasOwn(fields, '__proto__');
}

function parse(bytes: Uint8Array): unknown {
  try {
    const limits = {
      depth: MAX_DEPTH,
      values: Math.min(MAX_VALUES, SMALL_MANIFEST_VALUES + Math.floor(bytes.length / LEAST_BYTES_OF_VALUE)),
    };
    if (bytes[0] !== 0x7b) return unpackMessage(bytes, limits);
    checkJson(bytes, limits);
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch (error) {
    throw bad(`it is neither JSON nor msgpack (${(error as Error).message})`);
  }
}

function bad(why: string): FormatError {
  return new FormatError('bad-manifest', `Cannot read manifest: ${why}`);
}
