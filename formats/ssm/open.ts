import { FormatError, type OnDamage, SavkitError, throwDamage, UnsupportedError } from '../errors.ts';
import type { ByteSource } from '../files/source.ts';
import { Window } from '../files/window.ts';
import type { Container, OpenOptions } from './container.ts';
import { startsWith } from './header-rules.ts';
import { MAGIC_BASE, MAGIC_SIZE } from './layouts.ts';
import { refusalOf } from './refusal.ts';
import { V1Reader } from './v1-reader.ts';
import { V2Reader } from './v2-reader.ts';

/** Version texts after the base magic; both together are padded with NUL to 32 bytes. */
const VERSION_TEXTS = { '1.0': 'V1.0\n', '1.1': 'V1.1\n', '1.2': 'V1.2\n', '2.0': 'V2.0\n' } as const;

/**
 * Opens a saved-state container and reads its header.
 *
 * @param onDamage called for damage after which reading can go on; the default throws it
 * @throws NotAStateError if the file never was a saved state, FormatError if its header is damaged, UnsupportedError
 * for V1.0
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
  // Bytes of the window after the end of the file may belong to another file.
  if (window.available < MAGIC_BASE.length || !startsWith(window.bytes, 0, MAGIC_BASE)) {
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

/** Finds the version whose text fills all 32 bytes, padding included. */
function versionOf(bytes: Uint8Array): keyof typeof VERSION_TEXTS | undefined {
  for (const [version, text] of Object.entries(VERSION_TEXTS)) {
    if (startsWith(bytes, 0, (MAGIC_BASE + text).padEnd(MAGIC_SIZE, '\0')))
      return version as keyof typeof VERSION_TEXTS;
  }
  return undefined;
}
