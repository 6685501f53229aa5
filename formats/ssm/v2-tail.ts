import { crc32 } from '../binary/crc32.ts';
import { Cursor } from '../binary/cursor.ts';
import type { StructValue } from '../binary/struct.ts';
import { FormatError, hex, type OnDamage } from '../errors.ts';
import { startsWith } from './header-rules.ts';
import {
  DIRECTORY_MAGIC,
  type DirectoryEntry,
  directoryEntry,
  directoryHead,
  FOOTER_MAGIC,
  footer,
} from './layouts.ts';

// Directory and footer, after the units of a V2.0 file (ssm-container.md 3.6, 3.7). Source: SSM.cpp,
// ssmR3ValidateDirectory, ssmR3ValidateFooter.

export const FOOTER_SIZE = footer.size();
export const DIRECTORY_HEAD_SIZE = directoryHead.size();
export const DIRECTORY_ENTRY_SIZE = directoryEntry.size();
/** Entries of a directory must be fewer. */
const DIRECTORY_LIMIT = 65536;
/** Before this revision (3.1 development) a directory held offset 0 for units without data. */
const FIRST_REVISION_WITHOUT_EMPTY = 53365;

export type Footer = StructValue<typeof footer>;

/** Reads the 32 bytes of a footer at file offset `offset`, and checks all of its fields. */
export function readFooter(bytes: Uint8Array, offset: number, streamCrc: boolean, onDamage: OnDamage): Footer {
  const value = footer.read(new Cursor(bytes));
  const bad = (what: string, field: string) => {
    onDamage(
      new FormatError(
        'bad-footer',
        `Cannot trust footer at ${hex(offset)}: ${what}`,
        { offset, field },
        'VERR_SSM_INTEGRITY_FOOTER',
      ),
    );
  };
  if (!startsWith(bytes, 0, FOOTER_MAGIC)) bad('the file does not end in one', 'magic');
  else if (crcWithout(bytes, footer.offsets.crc) !== value.crc) {
    onDamage(
      new FormatError(
        'bad-crc',
        `Cannot trust footer at ${hex(offset)}: its CRC is wrong`,
        { offset, field: 'crc' },
        'VERR_SSM_INTEGRITY_CRC',
      ),
    );
  } else if (value.offset !== offset) bad(`it claims offset ${hex(value.offset)}`, 'offset');
  else if (value.reserved !== 0) bad(`its reserved field is ${value.reserved}`, 'reserved');
  else if (value.directoryEntries >= DIRECTORY_LIMIT)
    bad(`it claims ${value.directoryEntries} directory entries`, 'directoryEntries');
  else if (!streamCrc && value.streamCrc !== 0)
    bad('it has a stream CRC, but the file header says there is none', 'streamCrc');
  return value;
}

/**
 * Reads a whole directory (head and entries) at file offset `offset`; no entries where the head claims more or fewer
 * than there are.
 */
export function readDirectory(
  bytes: Uint8Array,
  offset: number,
  revision: number,
  onDamage: OnDamage,
): DirectoryEntry[] {
  const cursor = new Cursor(bytes);
  const head = directoryHead.read(cursor);
  if (crcWithout(bytes, directoryHead.offsets.crc) !== head.crc) {
    onDamage(
      new FormatError(
        'bad-crc',
        `Cannot trust directory at ${hex(offset)}: its CRC is wrong`,
        { offset, field: 'crc' },
        'VERR_SSM_INTEGRITY_CRC',
      ),
    );
  }
  const room = (bytes.length - DIRECTORY_HEAD_SIZE) / DIRECTORY_ENTRY_SIZE;
  if (head.count !== room) {
    const message = `Cannot trust directory at ${hex(offset)}: it claims ${head.count} entries, expected ${room}`;
    onDamage(new FormatError('bad-directory', message, { offset, field: 'count' }, 'VERR_SSM_INTEGRITY_DIR'));
    return [];
  }
  const entries: DirectoryEntry[] = [];
  for (let i = 0; i < head.count; i++) {
    const entry = directoryEntry.read(cursor);
    const absent = entry.offset === 0 && revision < FIRST_REVISION_WITHOUT_EMPTY;
    if (!absent && (entry.offset < 64 || entry.offset >= offset)) {
      const message = `Cannot trust directory entry ${i}: offset ${hex(entry.offset)} lies outside of the units`;
      onDamage(new FormatError('bad-directory', message, { offset, field: `entry ${i}` }, 'VERR_SSM_INTEGRITY_DIR'));
    }
    entries.push(entry);
  }
  return entries;
}

/** Reads and checks the head of a directory; gives the number of entries. @throws FormatError when it can't be one */
export function readDirectoryHead(bytes: Uint8Array, offset: number): number {
  if (!startsWith(bytes, 0, DIRECTORY_MAGIC)) {
    throw new FormatError(
      'bad-directory',
      `Cannot read directory at ${hex(offset)}: the magic is missing`,
      { offset },
      'VERR_SSM_INTEGRITY_DIR_MAGIC',
    );
  }
  const { count } = directoryHead.read(new Cursor(bytes));
  if (count >= DIRECTORY_LIMIT) {
    throw new FormatError(
      'bad-directory',
      `Cannot read directory at ${hex(offset)}: ${count} entries, expected fewer than ${DIRECTORY_LIMIT}`,
      { offset },
      'VERR_SSM_INTEGRITY_DIR',
    );
  }
  return count;
}

const FOUR_ZEROS = new Uint8Array(4);

/** CRC-32 of `bytes` with the 4 bytes at `field` taken as 0: how headers hold their own CRC. */
export function crcWithout(bytes: Uint8Array, field: number): number {
  return crc32(bytes.subarray(field + 4), crc32(FOUR_ZEROS, crc32(bytes.subarray(0, field))));
}
