import { readSync } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';
import { openScratchFile, type ScratchFile } from '../../formats/files/scratch-file.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { PageReader } from '../paging/page-reader.ts';
import { type ExtractOptions, extract } from '../saved-state/extract/extract.ts';
import type { StateView } from '../saved-state/reading/state-view.ts';

/** Pages that are kept: 16 MiB. Page tables are read again and again. */
const MAX_PAGES = 4096;

/**
 * The memory of a state as the guest sees it, in a temporary file: holes where there is nothing, so that it takes as
 * much room as the memory has contents.
 */
export class MemoryFile extends PageReader {
  readonly #scratch: ScratchFile;
  readonly #regions: NonNullable<StateView['memory']>['regions'];
  /** By frame. */
  readonly #pages = new Map<number, Uint8Array>();

  private constructor(scratch: ScratchFile, { memory }: StateView) {
    super();
    this.#scratch = scratch;
    this.#regions = memory?.regions ?? [];
  }

  /** @param source seekable. @throws FormatError for damage, UsageError for a state without memory */
  static async open(
    source: ByteSource,
    state: StateView,
    options: Pick<ExtractOptions, 'onProgress' | 'signal'>,
  ): Promise<MemoryFile> {
    const scratch = openScratchFile();
    try {
      const target = new WrittenFile('a temporary file', scratch.descriptor);
      await extract(source, target, { ...options, format: 'sparse', asSeen: true });
      return new MemoryFile(scratch, state);
    } catch (error) {
      scratch.close();
      throw error;
    }
  }

  close(): void {
    this.#scratch.close();
  }

  holdsTables(gcPhys: GuestPhys): boolean {
    return this.isMemory(gcPhys);
  }

  isMemory(gcPhys: GuestPhys): boolean {
    return this.#regions.some(({ kind, start, end }) => kind !== 'mmio' && gcPhys >= start && gcPhys < end);
  }

  protected pageOf(frame: number): Uint8Array {
    const known = this.#pages.get(frame);
    if (known) return known;
    const page = new Uint8Array(PAGE_SIZE);
    try {
      readSync(this.#scratch.descriptor, page, 0, PAGE_SIZE, frame * PAGE_SIZE);
    } catch (error) {
      throw EnvironmentError.from(error, 'read a temporary file');
    }
    if (this.#pages.size >= MAX_PAGES) this.#pages.clear();
    this.#pages.set(frame, page);
    return page;
  }
}
