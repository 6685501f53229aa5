import { Cursor } from '../binary/cursor.ts';
import { FormatError, hex, type OnDamage } from '../errors.ts';
import type { ContainerHeader } from './container.ts';
import { checkVersionFields, widthsOf } from './header-rules.ts';
import { fileHeaderV2 } from './layouts.ts';
import { crcWithout } from './v2-tail.ts';

// The file header of V2.0 (ssm-container.md 3); row numbers refer to section 4, which has the loader's checks in order.

export const FILE_HEADER_SIZE = fileHeaderV2.size();

/** Reads and checks the header (rows 4 and 5). @param bytes begin with the header */
export function readFileHeader(bytes: Uint8Array, onDamage: OnDamage): ContainerHeader {
  const raw = bytes.subarray(0, FILE_HEADER_SIZE);
  const fields = fileHeaderV2.read(new Cursor(raw));
  const bad = (code: 'bad-crc' | 'bad-header', message: string, field: string, vboxCode: string) =>
    onDamage(new FormatError(code, message, { offset: 0, field }, vboxCode));
  if (crcWithout(raw, fileHeaderV2.offsets.crc) !== fields.crc)
    bad('bad-crc', 'Cannot trust file header: its CRC is wrong', 'crc', 'VERR_SSM_INTEGRITY_CRC');
  const { reserved, flags, maxDecompressed } = fields;
  const isBlockSize = maxDecompressed >= 1024 && maxDecompressed <= 4096 && maxDecompressed % 256 === 0;
  if (reserved !== 0 || flags > 3 || !isBlockSize) {
    bad(
      'bad-header',
      `Cannot trust file header: reserved ${reserved}, flags ${hex(flags)}, cbMaxDecompr ${maxDecompressed}`,
      'flags',
      'VERR_SSM_INTEGRITY',
    );
  }
  return {
    format: '2.0',
    release: { major: fields.major, minor: fields.minor, build: fields.build, revision: fields.revision },
    hostBits: fields.hostBits,
    widths: widthsOf(fields),
    widthsStored: true,
    streamCrc: (flags & 1) !== 0,
    live: (flags & 2) !== 0,
    registeredUnits: fields.registeredUnits,
  };
}

/** Checks release and host (rows 7 and 8). @param header the file header */
export function checkRelease(header: Uint8Array, onDamage: OnDamage): void {
  checkVersionFields(fileHeaderV2.read(new Cursor(header)), onDamage);
}
