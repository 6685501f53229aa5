/** A packing of whole files that savkit reads through. */
export interface PackingFacts {
  /** First bytes of such a file, as Latin-1. */
  readonly magic: string;
  /** A program that expands stdin to stdout, used where Node can't expand the packing itself. */
  readonly program: readonly string[];
}

export const PACKINGS = {
  gzip: { magic: '\x1f\x8b\x08', program: ['gzip', '-dc'] },
  xz: { magic: '\xfd7zXZ\0', program: ['xz', '-dc'] },
  zstd: { magic: '\x28\xb5\x2f\xfd', program: ['zstd', '-dc'] },
  bzip2: { magic: 'BZh', program: ['bzip2', '-dc'] },
  lzop: { magic: '\x89LZO\0\r\n\x1a\n', program: ['lzop', '-dc'] },
} as const satisfies Record<string, PackingFacts>;
export type Packing = keyof typeof PACKINGS;

/** Bytes that suffice to tell a packing. */
export const PACKING_HEAD_SIZE = 16;

/** The packing of a file that begins with these bytes. */
export function packingOf(head: Uint8Array): Packing | undefined {
  const text = Buffer.from(head.subarray(0, PACKING_HEAD_SIZE)).toString('latin1');
  return (Object.keys(PACKINGS) as Packing[]).find((packing) => text.startsWith(PACKINGS[packing].magic));
}
