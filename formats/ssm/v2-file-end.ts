import { FormatError, hex, type OnDamage } from '../errors.ts';
import type { Window } from '../files/window.ts';
import type { ContainerHeader } from './container.ts';
import type { DirectoryEntry } from './layouts.ts';
import type { StreamCrc } from './stream-crc.ts';
import { FILE_HEADER_SIZE } from './v2-head.ts';
import {
  DIRECTORY_ENTRY_SIZE,
  DIRECTORY_HEAD_SIZE,
  FOOTER_SIZE,
  readDirectory,
  readDirectoryHead,
  readFooter,
} from './v2-tail.ts';

/** Reads the end of a V2.0 file: directory and footer. Numbers are rows of ssm-container.md 4. */
export class V2FileEnd {
  readonly #window: Window;
  readonly #crc: StreamCrc;
  readonly #header: ContainerHeader;
  readonly #onDamage: OnDamage;
  /** The footer was read from the end of the file before anything else, and its faults were reported. */
  #footerChecked = false;

  constructor(window: Window, crc: StreamCrc, header: ContainerHeader, onDamage: OnDamage) {
    this.#window = window;
    this.#crc = crc;
    this.#header = header;
    this.#onDamage = onDamage;
  }

  /** Checks the footer of a file before anything else (row 6). */
  async checkFirst(): Promise<void> {
    const { source } = this.#window;
    if (!source.seekable || source.size === undefined) return;
    this.#footerChecked = true;
    const offset = Math.max(FILE_HEADER_SIZE, source.size - FOOTER_SIZE);
    const bytes = new Uint8Array(FOOTER_SIZE);
    await source.read(bytes, offset);
    readFooter(bytes, offset, this.#header.streamCrc, this.#onDamage);
  }

  /** Reads directory and footer after the last unit (rows 25 and 26). */
  async read(): Promise<DirectoryEntry[]> {
    const window = this.#window;
    await window.need(DIRECTORY_HEAD_SIZE, 'directory');
    const count = readDirectoryHead(
      window.bytes.subarray(window.position, window.position + DIRECTORY_HEAD_SIZE),
      window.offset,
    );
    const size = DIRECTORY_HEAD_SIZE + count * DIRECTORY_ENTRY_SIZE;
    const bytes = await this.#copy(size, 'directory');
    const revision = this.#header.release?.revision ?? 0;
    const directory = readDirectory(bytes, window.offset - size, revision, this.#onDamage);
    await window.need(FOOTER_SIZE, 'footer');
    const { position, offset } = window;
    const raw = window.bytes.subarray(position, position + FOOTER_SIZE);
    const seenAtEnd = this.#footerChecked && offset + FOOTER_SIZE === window.source.size;
    const fields = readFooter(raw, offset, this.#header.streamCrc, seenAtEnd ? () => {} : this.#onDamage);
    const place = { offset, field: 'streamCrc' };
    if (fields.directoryEntries !== count) {
      const message =
        `Cannot trust footer at ${hex(offset)}: ${fields.directoryEntries} directory entries, the directory has ` +
        `${count}`;
      this.#onDamage(
        new FormatError('bad-footer', message, { offset, field: 'directoryEntries' }, 'VERR_SSM_INTEGRITY_FOOTER'),
      );
    }
    if (this.#header.streamCrc && !this.#crc.agreesInAll(position, fields.streamCrc)) {
      this.#onDamage(
        new FormatError(
          'bad-stream-crc',
          `Cannot trust file: its bytes do not have the CRC that the footer claims`,
          place,
          'VERR_SSM_INTEGRITY_CRC',
        ),
      );
    }
    window.position = position + FOOTER_SIZE;
    await this.#checkNothingFollows();
    return directory;
  }

  async #checkNothingFollows(): Promise<void> {
    const window = this.#window;
    if (window.available === 0 && !window.ended) await window.refill();
    if (window.available === 0 || this.#footerChecked) return;
    const { offset } = window;
    this.#onDamage(
      new FormatError(
        'trailing-bytes',
        `Cannot trust file: bytes follow its footer at ${hex(offset)}`,
        { offset },
        'VERR_SSM_INTEGRITY_FOOTER',
      ),
    );
  }

  /** An owned copy of the next `size` bytes, which may be more than the window holds. */
  async #copy(size: number, what: string): Promise<Uint8Array> {
    const window = this.#window;
    const parts: Uint8Array[] = [];
    for (let left = size; left > 0; ) {
      const part = Math.min(left, DIRECTORY_HEAD_SIZE * 1024);
      await window.need(part, what);
      parts.push(window.bytes.slice(window.position, window.position + part));
      window.position += part;
      left -= part;
    }
    return Buffer.concat(parts);
  }
}
