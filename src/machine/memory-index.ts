import { EnvironmentError } from '../../formats/errors.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { truncated } from '../../formats/files/window.ts';
import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { INPUT_SLACK, lzfDecode } from '../../formats/kernels/lzf.ts';
import { type PageBatch, PageKind } from '../../formats/pgm/page-batch.ts';
import type { PageSink } from '../../formats/pgm/page-sink.ts';
import { type GuestPhys, PAGE_SIZE } from '../../formats/sizes.ts';
import { badCompression, Encoding } from '../../formats/ssm/segments.ts';
import { world } from '../../formats/world/world.ts';
import { readState } from '../saved-state/families/read-state.ts';
import { GuestViewPlacement, NOWHERE } from '../saved-state/layout/placement.ts';
import { FrameSet } from '../saved-state/reading/frame-set.ts';
import type { StateMemory, StateView } from '../saved-state/reading/state-view.ts';
import type { WalkOptions } from '../saved-state/reading/walk.ts';
import { PageIndex } from './page-index.ts';
import { SeenMemory } from './seen-memory.ts';

/** Maximum size, in bytes, of a page in the file. */
const PAGE_ROOM = 2 * PAGE_SIZE;

/** The memory of a state as the guest sees it, read on demand from the state's file. */
export class MemoryIndex extends SeenMemory {
  readonly #fd: number;
  readonly #places: PlaceFinder;
  readonly #bytes = takeBuffer(PAGE_ROOM + INPUT_SLACK);

  private constructor(fd: number, state: StateView, places: PlaceFinder) {
    super(state, 0xff);
    this.#fd = fd;
    this.#places = places;
  }

  /**
   * Reads and checks all pages, and notes their places in the file.
   * @returns undefined if pages cannot be read one by one, as in many states of older versions and in compressed files
   */
  static async open(
    source: ByteSource,
    state: StateView,
    options: Pick<WalkOptions, 'onProgress' | 'signal'>,
  ): Promise<MemoryIndex | undefined> {
    const { fd } = source;
    if (fd === undefined || !state.memory) return undefined;
    const places = new PlaceFinder(source, state.memory);
    await readState(source, { ...options, skipCrc: true, sink: places });
    return places.isComplete ? new MemoryIndex(fd, state, places) : undefined;
  }

  close(): void {
    returnBuffer(this.#bytes);
  }

  override holdsTables(gcPhys: GuestPhys): boolean {
    return super.holdsTables(gcPhys) && !this.#places.ballooned.has(Math.floor(gcPhys / PAGE_SIZE));
  }

  protected load(frame: number): Uint8Array {
    const page = new Uint8Array(PAGE_SIZE);
    const place = this.#places.index.get(frame);
    if (!place) return page;
    const { encoding, at, length } = place;
    this.#read(at, length);
    if (encoding === Encoding.RAW) page.set(this.#bytes.subarray(0, PAGE_SIZE));
    else if (!lzfDecode(this.#bytes, 0, length, page, 0, PAGE_SIZE)) throw badCompression(at);
    return page;
  }

  /** @throws FormatError where the file has changed since the check */
  #read(at: number, length: number): void {
    try {
      for (let done = 0; done < length; ) {
        const count = world.disk.readSync(this.#fd, this.#bytes, done, length - done, at + done);
        if (count === 0) throw truncated('page', at, length, done);
        done += count;
      }
    } catch (error) {
      throw (error as NodeJS.ErrnoException).syscall === undefined
        ? error
        : EnvironmentError.from(error, 'read the saved state');
    }
  }
}

/** Notes the places of pages; the last record of a page counts. */
class PlaceFinder implements PageSink {
  readonly index = new PageIndex();
  /** Frames that the machine has given back to the host. */
  readonly ballooned = new FrameSet();
  /** Whether each page has a place in the file from which it can be decoded. */
  isComplete = true;
  readonly #source: ByteSource;
  readonly #placement: GuestViewPlacement;

  constructor(source: ByteSource, { regions, romProtection }: StateMemory) {
    this.#source = source;
    const end = regions.reduce((most, region) => Math.max(most, region.end), 0);
    this.#placement = new GuestViewPlacement([{ start: 0, end, offset: 0 }], regions, romProtection);
  }

  take(batch: PageBatch): void {
    batch.walk();
    for (let i = 0; i < batch.count; i++) {
      const address = this.#placement.offsetOf(batch, i);
      if (address !== NOWHERE) this.#note(batch, i, address / PAGE_SIZE);
    }
  }

  #note(batch: PageBatch, i: number, frame: number): void {
    const { window } = batch;
    const encoding = batch.encoding[i];
    if (batch.kind[i] === PageKind.RAM_BALLOONED) this.ballooned.add(frame);
    else this.ballooned.remove(frame);
    if (encoding !== Encoding.RAW && encoding !== Encoding.LZF) {
      this.index.clear(frame);
      return;
    }
    const stands = window.source === this.#source && batch.at[i] < window.spillStart;
    const place = { encoding, at: stands ? window.offsetOf(batch.at[i]) : 0, length: batch.length[i] };
    if (!stands || !this.index.set(frame, place)) this.isComplete = false;
  }
}
