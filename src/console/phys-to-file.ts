import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import { type FileSink, openFileSink } from '../../formats/files/sink.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { Machine } from '../machine/machine.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState, PageType } from '../pgm/pages/page-states.ts';
import type { RamRange } from '../pgm/pages/ram-range.ts';
import { type Answer, linesOf } from './answer.ts';

/** VirtualBox's names for errors of file systems. */
const STATUS: Readonly<Record<string, string>> = {
  EACCES: 'VERR_ACCESS_DENIED',
  EPERM: 'VERR_ACCESS_DENIED',
  EEXIST: 'VERR_ALREADY_EXISTS',
  ENOENT: 'VERR_PATH_NOT_FOUND',
  ENOTDIR: 'VERR_PATH_NOT_FOUND',
  EISDIR: 'VERR_IS_A_DIRECTORY',
  ENOSPC: 'VERR_DISK_FULL',
  EROFS: 'VERR_WRITE_PROTECT',
};
const BUFFER_PAGES = MIB / PAGE_SIZE;

/**
 * `pgmphystofile FILE [nozero]`: guest-physical memory, as the guest reads it, up to the end of RAM and its hole.
 * Offsets are addresses, unless zero pages are left out: then pages follow each other, and their addresses are lost.
 * Unlike VirtualBox, savkit never replaces an existing file.
 */
export async function physToFile(machine: Machine, file: string, option?: string): Promise<Answer> {
  if (option !== undefined && option !== 'nozero')
    throw new UsageError('bad-option', `Invalid 2nd argument '${option}', must be 'nozero'.`);
  const sink = await opened(file);
  try {
    const { ramSize = 0, ramHole = 0 } = machine.config;
    await new PhysFile(machine.memory, sink, option === undefined).write(ramSize + ramHole);
    await sink.commit();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    throw new EnvironmentError(error.code, `RTFileWrite -> ${statusOf(error)} at the end of the written bytes.`);
  } finally {
    await sink.abort();
  }
  return linesOf([`Successfully saved physical memory to '${file}'.`]);
}

async function opened(file: string): Promise<FileSink> {
  try {
    return await openFileSink(file);
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    throw new EnvironmentError(error.code, `RTFileOpen(,'${file}',) -> ${statusOf(error)}.`);
  }
}

function statusOf({ code }: EnvironmentError): string {
  return STATUS[code] ?? code;
}

class PhysFile {
  readonly #memory: GuestMemory;
  readonly #sink: FileSink;
  readonly #zeros: boolean;
  readonly #buffer = new Uint8Array(BUFFER_PAGES * PAGE_SIZE);
  #pages = 0;

  constructor(memory: GuestMemory, sink: FileSink, zeros: boolean) {
    this.#memory = memory;
    this.#sink = sink;
    this.#zeros = zeros;
  }

  /** Writes the ranges that start below `limit`. */
  async write(limit: number): Promise<void> {
    let at = 0;
    for (const range of this.#memory.ranges) {
      if (range.start >= limit) break;
      if (this.#zeros) for (; at < range.start; at += PAGE_SIZE) await this.#put(undefined);
      for (let page = 0; page < range.pages; page++) await this.#putPage(range, page);
      at = range.end;
    }
    await this.#flush();
  }

  async #putPage(range: RamRange, page: number): Promise<void> {
    const state = range.state[page];
    const type = range.type[page];
    const isEmpty =
      state === PageState.ZERO ||
      state === PageState.BALLOONED ||
      type === PageType.MMIO ||
      type === PageType.MMIO2_ALIAS_MMIO;
    if (!isEmpty) await this.#put(this.#memory.pages.contentOf(range, page));
    else if (this.#zeros) await this.#put(undefined);
  }

  async #put(content: Uint8Array | undefined): Promise<void> {
    const at = this.#pages++ * PAGE_SIZE;
    if (content) this.#buffer.set(content, at);
    else this.#buffer.fill(0, at, at + PAGE_SIZE);
    if (this.#pages === BUFFER_PAGES) await this.#flush();
  }

  async #flush(): Promise<void> {
    await this.#sink.write(this.#buffer.subarray(0, this.#pages * PAGE_SIZE));
    this.#pages = 0;
  }
}
