/** Compresses and expands with zstd; level 1, which is what links need. */
export interface Zstd {
  compress(bytes: Uint8Array): Uint8Array;
  /** @throws Error for what is no zstd frame */
  decompress(bytes: Uint8Array): Uint8Array;
}

/** It is native code, which is not built for every platform: without it pages go raw. */
export async function loadZstd(): Promise<Zstd | undefined> {
  try {
    const { Compressor, Decompressor } = await import('zstd-napi');
    const compressor = new Compressor();
    compressor.setParameters({ compressionLevel: 1 });
    const decompressor = new Decompressor();
    return { compress: (bytes) => compressor.compress(bytes), decompress: (bytes) => decompressor.decompress(bytes) };
  } catch {
    return undefined;
  }
}

const MAGIC = 0xfd2f_b528;
/** Bytes of the content size by the two bits of the descriptor that tell it. */
const SIZE_BYTES = [1, 2, 4, 8];

/**
 * The size that a zstd frame claims to expand to (RFC 8878, 3.1.1.1); undefined for other bytes, and for frames that do not tell. To be checked
 * before a frame of a stranger is expanded: the library believes it.
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
