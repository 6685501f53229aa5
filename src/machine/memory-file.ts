import { readSync } from 'node:fs';
import { EnvironmentError } from '../../formats/errors.ts';
import { openScratchFile, type ScratchFile } from '../../formats/files/scratch-file.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { type ExtractOptions, extract } from '../saved-state/extract/extract.ts';
import type { StateView } from '../saved-state/reading/state-view.ts';
import { SeenMemory } from './seen-memory.ts';

/**
 * The memory of a state as the guest sees it, in a temporary file: holes where there is nothing, so that it takes as
 * much room as the memory has contents.
 */
export class MemoryFile extends SeenMemory {
  readonly #scratch: ScratchFile;

  private constructor(scratch: ScratchFile, state: StateView, nothing: number) {
    super(state, nothing);
    this.#scratch = scratch;
  }

  /**
   * @param source seekable @param nothing value of bytes where there is no memory @throws FormatError for damage,
   * UsageError for a state without memory
   */
  static async open(
    source: ByteSource,
    state: StateView,
    options: Pick<ExtractOptions, 'onProgress' | 'signal'>,
    nothing: number,
  ): Promise<MemoryFile> {
    const scratch = openScratchFile();
    try {
      const target = new WrittenFile(scratch.name, scratch.descriptor);
      await extract(source, target, { ...options, format: 'sparse', asSeen: true });
      return new MemoryFile(scratch, state, nothing);
    } catch (error) {
      scratch.close();
      throw error;
    }
  }

  close(): void {
    this.#scratch.close();
  }

  protected load(frame: number): Uint8Array {
    const page = new Uint8Array(PAGE_SIZE);
    try {
      readSync(this.#scratch.descriptor, page, 0, PAGE_SIZE, frame * PAGE_SIZE);
    } catch (error) {
      throw EnvironmentError.from(error, `read ${this.#scratch.name}`);
    }
    return page;
  }
}
