/**
 * Packings of whole files that savkit reads through: the first bytes of such a file, as Latin-1. The program of the
 * same name is used where Node doesn't know the packing itself.
 */
export const PACKINGS = {
  gzip: '\x1f\x8b\x08',
  xz: '\xfd7zXZ\0',
  zstd: '\x28\xb5\x2f\xfd',
  bzip2: 'BZh',
  lzop: '\x89LZO\0\r\n\x1a\n',
} as const;
export type Packing = keyof typeof PACKINGS;

/** Bytes that suffice to tell a packing. */
export const PACKING_HEAD_SIZE = 16;

/** The packing of a file that begins with these bytes. */
export function packingOf(head: Uint8Array): Packing | undefined {
  const text = Buffer.from(head.subarray(0, PACKING_HEAD_SIZE)).toString('latin1');
  return (Object.keys(PACKINGS) as Packing[]).find((packing) => text.startsWith(PACKINGS[packing]));
}
