import { FormatError, NotAStateError, type OnDamage, SavkitError, throwDamage, UnsupportedError } from '../errors.ts';
import type { ByteSource } from '../files/source.ts';
import { Window } from '../files/window.ts';
import type { Container, OpenOptions } from './container.ts';
import { fileKindOf } from './file-kinds.ts';
import { startsWith } from './header-rules.ts';
import { END_MAGIC, FOOTER_MAGIC, footer, MAGIC_BASE, MAGIC_SIZE, UNIT_MAGIC, unitHeaderV1 } from './layouts.ts';
import { V1Reader } from './v1-reader.ts';
import { V2Reader } from './v2-reader.ts';

/** What follows the base magic, NUL-padded to 32 bytes in all. */
const VERSION_TEXTS = { '1.0': 'V1.0\n', '1.1': 'V1.1\n', '1.2': 'V1.2\n', '2.0': 'V2.0\n' } as const;

/**
 * Opens a saved-state container and reads its header.
 *
 * @param onDamage gets damage that the reader can go on after; the default throws it
 * @throws NotAStateError when this never was one, FormatError when its header is damaged, UnsupportedError for V1.0
 */
export async function openContainer(
  source: ByteSource,
  onDamage: OnDamage = throwDamage,
  options: OpenOptions = {},
): Promise<Container> {
  const window = new Window(source);
  try {
    return await openIn(window, onDamage, options);
  } catch (error) {
    window.release();
    throw error instanceof SavkitError ? error.in(source.name) : error;
  }
}

async function openIn(window: Window, onDamage: OnDamage, options: OpenOptions): Promise<Container> {
  await window.refill();
  if (!startsWith(window.bytes, 0, MAGIC_BASE)) {
    throw await refusalOf(window);
  }
  await window.need(MAGIC_SIZE, 'file header');
  switch (versionOf(window.bytes)) {
    case '2.0':
      return V2Reader.open(window, onDamage, options);
    case '1.2':
      return V1Reader.open(window, '1.2', onDamage, options);
    case '1.1':
      return V1Reader.open(window, '1.1', onDamage, options);
    case '1.0':
      throw new UnsupportedError(
        'unsupported-container',
        'Cannot read container V1.0: this format of VirtualBox before 1.6 is not supported',
        { offset: 0 },
        'VERR_SSM_INTEGRITY_VERSION',
      );
    default:
      throw new FormatError(
        'bad-version',
        'Cannot read file: its saved-state format is unknown',
        { offset: MAGIC_BASE.length },
        'VERR_SSM_INTEGRITY_VERSION',
      );
  }
}

/** Of files that are not known to be anything else, units are looked for so far. */
const HEAD_SIZE = 64 * 1024;

/** Damage, where anything tells that the file was a saved state once. */
async function refusalOf(window: Window): Promise<SavkitError> {
  const { bytes, available } = window;
  if (available === 0) {
    return new FormatError(
      'truncated',
      'Cannot read file: it is empty; was the disk full, or did a copy fail? Look for another copy',
      { offset: 0 },
      'VERR_EOF',
    );
  }
  if (available < MAGIC_BASE.length && startsWith(bytes, 0, MAGIC_BASE.slice(0, available))) {
    return new FormatError(
      'truncated',
      `Cannot read file header: the file ends after ${available} bytes`,
      { offset: 0 },
      'VERR_EOF',
    );
  }
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(available, HEAD_SIZE));
  if (isAlmostMagic(head) || head.includes(UNIT_MAGIC, 0, 'latin1') || (await endsLikeAState(window))) {
    return new FormatError(
      'bad-magic',
      'Cannot read file: the magic of a saved state at its start is damaged',
      { offset: 0 },
      'VERR_SSM_INTEGRITY_MAGIC',
    );
  }
  const kind = fileKindOf(head);
  const text = kind ? `it is ${kind.name}; ${kind.advice}` : 'its kind is unknown';
  const message = `Cannot read file: not a saved state of VirtualBox, ${text}`;
  return new NotAStateError('not-a-saved-state', message, { offset: 0 }, 'VERR_SSM_INTEGRITY_MAGIC');
}

/** Most of the magic is there. */
function isAlmostMagic(head: Uint8Array): boolean {
  const right = [...MAGIC_BASE].filter((character, i) => head[i] === character.charCodeAt(0)).length;
  return right > MAGIC_BASE.length / 2;
}

/** What stands at the very end of each format, and its size: the footer of V2.0, the end unit of V1.x. */
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

/** The whole 32 bytes count, with their padding. */
function versionOf(bytes: Uint8Array): keyof typeof VERSION_TEXTS | undefined {
  for (const [version, text] of Object.entries(VERSION_TEXTS)) {
    if (startsWith(bytes, 0, (MAGIC_BASE + text).padEnd(MAGIC_SIZE, '\0')))
      return version as keyof typeof VERSION_TEXTS;
  }
  return undefined;
}
