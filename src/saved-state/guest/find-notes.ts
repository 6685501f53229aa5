import type { ByteSource } from '../../../formats/files/source.ts';
import { isRam, type PageBatch } from '../../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../../formats/pgm/page-sink.ts';
import { type GuestPhys, PAGE_SIZE } from '../../../formats/sizes.ts';
import { Encoding } from '../../../formats/ssm/segments.ts';
import { readState } from '../families/read-state.ts';
import { NAME_OFFSET, NOTE_NAME, noteSize } from './vmcoreinfo.ts';

/** Notes that are looked for at most: programs of the guest can plant any number. */
const MAX_NOTES = 4096;
/** The first byte of a note: the size of its name. */
const FIRST_BYTE = NOTE_NAME.length;

export interface NoteSearchOptions {
  signal?: AbortSignal;
  /** Called now and then with the file offset reached, in each of the steps. */
  onProgress?: (offset: number, step: 'searching' | 'searching everywhere') => void;
}

/**
 * Addresses of possible VMCOREINFO notes in a state's RAM, ascending, at most `MAX_NOTES`; their text is not checked.
 */
export async function findNotes(source: ByteSource, { signal, onProgress }: NoteSearchOptions): Promise<GuestPhys[]> {
  // Linux has its note at the start of a page since 4.13. A search everywhere has to decompress all of memory.
  for (const isEverywhere of [false, true]) {
    const search = new NoteSearch(isEverywhere);
    const step = isEverywhere ? 'searching everywhere' : 'searching';
    await readState(source, {
      skipCrc: true,
      sink: search,
      signal,
      onProgress: onProgress && ((offset: number) => onProgress(offset, step)),
    });
    const notes = [...search.pages].flatMap(([page, offsets]) => offsets.map((offset) => page * PAGE_SIZE + offset));
    if (notes.length > 0) return notes.sort((a, b) => a - b).slice(0, MAX_NOTES);
  }
  return [];
}

class NoteSearch implements PageSink {
  /** Offsets of notes within a page, by frame. */
  readonly pages = new Map<number, readonly number[]>();
  readonly #isEverywhere: boolean;
  readonly #page = Buffer.alloc(PAGE_SIZE);

  constructor(isEverywhere: boolean) {
    this.#isEverywhere = isEverywhere;
  }

  take(batch: PageBatch): void {
    for (let i = 0; i < batch.count; i++) {
      if (!isRam(batch.kind[i])) continue;
      // In a live save the last record of a page counts.
      if (this.pages.size > 0) this.pages.delete(batch.page[i]);
      if (this.pages.size >= MAX_NOTES || !this.#mayHold(batch, i)) continue;
      batch.decode(i, this.#page, 0);
      const offsets = this.#isEverywhere ? this.#allNotes() : isNote(this.#page, 0) ? [0] : NO_NOTES;
      if (offsets.length > 0) this.pages.set(batch.page[i], offsets);
    }
  }

  /**
   * Whether a page may begin with a note, by its bytes in the file: LZF starts with a count, then the first bytes as
   * they are.
   */
  #mayHold(batch: PageBatch, i: number): boolean {
    const encoding = batch.encoding[i];
    if (encoding !== Encoding.RAW && encoding !== Encoding.LZF) return false;
    return this.#isEverywhere || batch.window.bytes[batch.at[i] + (encoding === Encoding.LZF ? 1 : 0)] === FIRST_BYTE;
  }

  #allNotes(): readonly number[] {
    let offsets: number[] | undefined;
    for (
      let at = this.#page.indexOf(NOTE_NAME, 0, 'latin1');
      at >= 0;
      at = this.#page.indexOf(NOTE_NAME, at + 1, 'latin1')
    ) {
      if (at >= NAME_OFFSET && isNote(this.#page, at - NAME_OFFSET)) offsets = [...(offsets ?? []), at - NAME_OFFSET];
    }
    return offsets ?? NO_NOTES;
  }
}

const NO_NOTES: readonly number[] = [];

function isNote(page: Uint8Array, at: number): boolean {
  return page.length - at >= NAME_OFFSET + NOTE_NAME.length && noteSize(page.subarray(at)) !== undefined;
}
