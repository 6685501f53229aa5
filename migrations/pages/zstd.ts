import * as zlib from 'node:zlib';

/** Compresses and expands with zstd; level 1, which is fast enough for links. */
export interface Zstd {
  compress(bytes: Uint8Array): Uint8Array;
  /**
   * @returns `size` bytes at most, whatever the frame claims. @throws Error for bytes that are no zstd, or expand to
   * more
   */
  decompress(bytes: Uint8Array, size: number): Uint8Array;
}

/** Implementations of zstd, the preferred one first. */
export const ZSTD_SOURCES: Record<'node' | 'zstd-napi', () => Promise<Zstd | undefined>> = {
  node: zstdOfNode,
  'zstd-napi': zstdOfPackage,
};

/** The first zstd that there is; undefined without one: pages are then sent uncompressed. */
export async function loadZstd(sources = Object.values(ZSTD_SOURCES)): Promise<Zstd | undefined> {
  for (const source of sources) {
    const zstd = await source();
    if (zstd) return zstd;
  }
  return undefined;
}

const LEVEL = 1;
/** Frames may ask for a window of 8 MiB, as RFC 8878 wants it (3.1.1.1.2), and for no more. */
const WINDOW_LOG_MAX = 23;

/** Functions of Node 22.15, 23.8 and later, which the types of Node 20 lack. */
interface ZlibWithZstd {
  zstdCompressSync?(bytes: Uint8Array, options: ZstdOptions): Uint8Array;
  zstdDecompressSync?(bytes: Uint8Array, options: ZstdOptions): Uint8Array;
  constants: Record<string, number>;
}

interface ZstdOptions {
  params: Record<number, number>;
  chunkSize: number;
  maxOutputLength?: number;
}

/** @param from Node's zlib */
export async function zstdOfNode(from: unknown = zlib): Promise<Zstd | undefined> {
  const { zstdCompressSync, zstdDecompressSync, constants } = from as ZlibWithZstd;
  if (!zstdCompressSync || !zstdDecompressSync) return undefined;
  const packing = { [constants.ZSTD_c_compressionLevel]: LEVEL };
  const expanding = { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX };
  // With a chunk as large as the result, Node need not join chunks, which takes longer than zstd; 64 is the smallest
  // chunk.
  const chunk = (size: number) => Math.max(size, 64);
  return {
    compress: (bytes) => zstdCompressSync(bytes, { params: packing, chunkSize: chunk(bytes.length) }),
    decompress: (bytes, size) =>
      zstdDecompressSync(bytes, { params: expanding, chunkSize: chunk(size), maxOutputLength: size }),
  };
}

/** The part of zstd-napi's binding that is used; declared here, since the package may be missing at compile time. */
interface ZstdBinding {
  CCtx: new () => { compress(to: Uint8Array, from: Uint8Array, level: number): number };
  DCtx: new () => { decompress(to: Uint8Array, from: Uint8Array): number };
  compressBound(size: number): number;
}

/** The binding: the package's main entry would allocate as much as a frame claims. */
const BINDING: string = 'zstd-napi/binding.js';

/** An optional dependency: native code, which can't be had everywhere. */
async function zstdOfPackage(): Promise<Zstd | undefined> {
  ofPackage ??= import(BINDING)
    .then(({ default: { CCtx, DCtx, compressBound } }: { default: ZstdBinding }) => {
      const [packer, expander] = [new CCtx(), new DCtx()];
      return {
        compress: (bytes: Uint8Array) => filled(compressBound(bytes.length), (to) => packer.compress(to, bytes, LEVEL)),
        decompress: (bytes: Uint8Array, size: number) => filled(size, (to) => expander.decompress(to, bytes)),
      };
    })
    .catch(() => undefined);
  return ofPackage;
}

/**
 * The package is looked for once: a search in vain takes longer than the migration of a small machine. All migrations
 * use the same contexts, of some MiB: a call leaves nothing in them for the next one.
 */
let ofPackage: Promise<Zstd | undefined> | undefined;

function filled(size: number, fill: (to: Uint8Array) => number): Uint8Array {
  const bytes = Buffer.allocUnsafe(size);
  return bytes.subarray(0, fill(bytes));
}

const MAGIC = 0xfd2f_b528;
/** Bytes of the content size by the two bits of the descriptor that tell it. */
const SIZE_BYTES = [1, 2, 4, 8];

/**
 * The size that a zstd frame claims to expand to (RFC 8878, 3.1.1.1); undefined for other bytes, and for frames that do
 * not tell. To be checked before a frame of a peer is expanded.
 */
export function zstdContentSize(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) return undefined;
  const descriptor = bytes[4];
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  if (sizeFlag === 0 && !isSingleSegment) return undefined;
  const at = 5 + (isSingleSegment ? 0 : 1) + [0, 1, 2, 4][descriptor & 3];
  const width = SIZE_BYTES[sizeFlag];
  if (at + width > bytes.length) return undefined;
  if (width === 1) return bytes[at];
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}
