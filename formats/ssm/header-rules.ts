import type { Widths } from '../binary/cursor.ts';
import { FormatError, hex, type OnDamage } from '../errors.ts';
import type { Release } from './container.ts';

// Rules that the headers of V1.2 and V2.0 share. Source: SSM.cpp, ssmR3ValidateHeaderInfo.

interface VersionFields extends Release {
  hostBits: number;
  gcPhysWidth: number;
  gcPtrWidth: number;
}

export function isRelease({ major, minor, build, revision }: Release): boolean {
  return major >= 1 && major <= 1000 && minor <= 1000 && build <= 1 << 20 && revision >= 1 && revision <= 10_000_000;
}

export function isHostBits(bits: number): boolean {
  return bits === 32 || bits === 64;
}

export function checkVersionFields(fields: VersionFields, onDamage: OnDamage): void {
  const { major, minor, build, revision, hostBits, gcPhysWidth, gcPtrWidth } = fields;
  if (!isRelease(fields)) {
    const release = `${major}.${minor}.${build} r${revision}`;
    const message = `Cannot trust file header: VirtualBox version ${release} is out of range`;
    onDamage(
      new FormatError(
        'bad-version-fields',
        message,
        { offset: 0, field: 'version' },
        'VERR_SSM_INTEGRITY_VBOX_VERSION',
      ),
    );
  }
  if (!isHostBits(hostBits) || !isWidth(gcPhysWidth) || !isWidth(gcPtrWidth)) {
    const message =
      `Cannot trust file header: ${hostBits} host bits, GCPhys ${gcPhysWidth}, GCPtr ${gcPtrWidth} bytes, ` +
      'expected 32 or 64, 4 or 8, 4 or 8';
    onDamage(new FormatError('bad-widths', message, { offset: 0, field: 'hostBits' }, 'VERR_SSM_INTEGRITY_HEADER'));
  }
}

export function widthsOf(fields: VersionFields): Widths {
  return { gcPhys: fields.gcPhysWidth === 4 ? 4 : 8, gcPtr: fields.gcPtrWidth === 4 ? 4 : 8 };
}

function isWidth(value: number): value is 4 | 8 {
  return value === 4 || value === 8;
}

/**
 * The text of a unit's name field without its NUL, one character for each byte, so that writers can restore the bytes.
 */
export function unitName(bytes: Uint8Array): string {
  // Not by TextDecoder, whose "latin1" is Windows-1252, with other characters for 0x80 to 0x9f.
  return Buffer.from(bytes.subarray(0, Math.max(0, bytes.length - 1))).toString('latin1');
}

/** Whether `bytes[at …]` starts with `text` (one byte a character). */
export function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The error for a unit header of either version; `field` is the wrong part of it. */
export function badUnit(offset: number, field: string, what: string): FormatError {
  return new FormatError(
    'bad-unit',
    `Cannot trust unit header at ${hex(offset)}: ${what}`,
    { offset, field },
    'VERR_SSM_INTEGRITY_UNIT',
  );
}
