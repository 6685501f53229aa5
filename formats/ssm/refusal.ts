import { FormatError, NotAStateError, type SavkitError } from '../errors.ts';
import type { Window } from '../files/window.ts';
import { isZero } from '../kernels/zero.ts';
import { MIB } from '../sizes.ts';
import { fileKindOf } from './file-kinds.ts';
import { startsWith } from './header-rules.ts';
import { END_MAGIC, FOOTER_MAGIC, footer, MAGIC_BASE, UNIT_MAGIC, unitHeaderV1 } from './layouts.ts';
import { isUnitHeaderV2 } from './resync.ts';

// The error for a file that does not begin like a saved state: damage, if there are signs that it was one; else its
// kind.

/** Signatures of other files are searched up to here, units of a state in the whole window. */
const HEAD_SIZE = 64 * 1024;
/** Zeros are skipped up to here, which takes little time. */
const ZEROS_LIMIT = 64 * MIB;

/** @param window at the start of the file, filled; is moved */
export async function refusalOf(window: Window): Promise<SavkitError> {
  const { available } = window;
  if (available === 0) return nothingLeft('the file is empty; was the disk full, or did a copy fail?', 'VERR_EOF');
  if (available < MAGIC_BASE.length && startsWith(window.bytes, 0, MAGIC_BASE.slice(0, available))) {
    return new FormatError(
      'truncated',
      `Cannot read file header: the file ends after ${available} bytes`,
      { offset: 0 },
      'VERR_EOF',
    );
  }
  const head = inWindow(window, HEAD_SIZE);
  const kind = fileKindOf(head);
  if (
    isAlmostMagic(head) ||
    (kind?.isCertain ? hasUnitInPlace(window) : hasUnit(window) || (await endsLikeAState(window)))
  )
    return damagedMagic();
  const whose = kind?.isQemus ? 'VirtualBox' : 'VirtualBox or QEMU';
  const message =
    `Cannot read file: not a saved state of ${whose}, ` +
    `${kind ? `it is ${kind.name}; ${kind.advice}` : 'its kind is unknown'}`;
  if (!isZero(head)) return new NotAStateError('not-a-saved-state', message, { offset: 0 }, 'VERR_SSM_INTEGRITY_MAGIC');
  await passZeros(window);
  if (hasUnit(window)) return damagedMagic();
  if (window.available === 0)
    return nothingLeft(
      'the file holds nothing but zeros; a crash before the data was on disk?',
      'VERR_SSM_INTEGRITY_MAGIC',
    );
  return new NotAStateError('not-a-saved-state', message, { offset: 0 }, 'VERR_SSM_INTEGRITY_MAGIC');
}

function nothingLeft(what: string, vboxCode: string): FormatError {
  return new FormatError(
    'nothing-left',
    `Cannot read file: nothing of a saved state is left, ${what} Look for another copy`,
    { offset: 0 },
    vboxCode,
  );
}

function damagedMagic(): FormatError {
  return new FormatError(
    'bad-magic',
    'Cannot read file: the magic of a saved state at its start is damaged',
    { offset: 0 },
    'VERR_SSM_INTEGRITY_MAGIC',
  );
}

function inWindow({ bytes, position, available }: Window, length: number): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset + position, Math.min(available, length));
}

/** Whether most characters of the magic are correct. */
function isAlmostMagic(head: Uint8Array): boolean {
  const right = [...MAGIC_BASE].filter((character, i) => head[i] === character.charCodeAt(0)).length;
  return right > MAGIC_BASE.length / 2;
}

function hasUnit(window: Window): boolean {
  return inWindow(window, window.available).includes(UNIT_MAGIC, 0, 'latin1');
}

/**
 * Whether a unit is at the offset that it claims; units of a saved state within a file of another kind are not. V1.x
 * units do not tell their offsets.
 */
function hasUnitInPlace(window: Window): boolean {
  const { bytes, view, available, source } = window;
  const head = inWindow(window, available);
  for (let at = head.indexOf(UNIT_MAGIC, 0, 'latin1'); at >= 0; at = head.indexOf(UNIT_MAGIC, at + 1, 'latin1')) {
    if (isUnitHeaderV2({ bytes, view, position: at, offset: at, available: available - at, source })) return true;
  }
  return false;
}

/** Last structure of each format: the footer of V2.0, the end unit of V1.x. */
const ENDS = [
  { magic: FOOTER_MAGIC, size: footer.size() },
  { magic: END_MAGIC, size: unitHeaderV1.size() },
];

async function endsLikeAState({ source }: Window): Promise<boolean> {
  if (!source.seekable || source.size === undefined) return false;
  const end = new Uint8Array(Math.min(source.size, Math.max(...ENDS.map(({ size }) => size))));
  await source.read(end, source.size - end.length);
  return ENDS.some(({ magic, size }) => startsWith(end, end.length - size, magic));
}

/** Moves the window to the first byte that is not zero, the end, or the limit. */
async function passZeros(window: Window): Promise<void> {
  window.limitCrc(0, 0);
  for (;;) {
    const rest = window.bytes.subarray(window.position, window.end);
    const isAll = isZero(rest);
    window.position += isAll ? rest.length : rest.findIndex((byte) => byte !== 0);
    const isDone = window.ended || !isAll || window.offset >= ZEROS_LIMIT;
    await window.refill();
    if (isDone) return;
  }
}
