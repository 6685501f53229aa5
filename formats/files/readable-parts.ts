import { EnvironmentError } from '../errors.ts';
import { Turns } from '../turns.ts';
import { BLOCK, type ByteSource, readFrom, withBeside } from './source.ts';

/** Bytes of a file, `[start, end)`. */
export interface Stretch {
  /** Place of the first byte. */
  start: number;
  /** Place after the last byte. */
  end: number;
}

/** Error codes of systems for a disk that cannot read a block, or finds its checksum wrong. */
const FAILURES: readonly string[] = ['EIO', 'ENODATA', 'EBADMSG', 'EILSEQ', 'EUCLEAN', 'EREMOTEIO'];

/** Whether an error means that some bytes of the disk are unreadable; others may be readable. */
export function isUnreadable(error: unknown): error is EnvironmentError {
  return error instanceof EnvironmentError && FAILURES.includes(error.code);
}

/**
 * A file on a failing disk. Unreadable parts are remembered and not tried again, since a disk may take seconds for
 * each.
 */
export class ReadableParts {
  /** Stretches that turned out to be unreadable, in order. */
  readonly unreadable: Stretch[] = [];
  readonly #source: ByteSource;
  readonly #turns: Turns;

  /** @param source seekable */
  constructor(source: ByteSource, signal?: AbortSignal) {
    this.#source = source;
    this.#turns = Turns.rare(signal);
  }

  /** The file with bytes of `fill` in place of unreadable ones; for this thread only. */
  filledWith(fill: number): ByteSource {
    return {
      ...withBeside(this.#source, {}),
      fd: undefined,
      read: (target, position) => this.#read(target, position, fill),
    };
  }

  /** The file as though it ended at the first unreadable part after `from`; for this thread only. */
  untilUnreadable(from: number): ByteSource {
    return {
      ...withBeside(this.#source, {}),
      fd: undefined,
      read: async (target, position) => {
        const count = await this.#read(target, position, 0);
        const bad = this.badIn(from, position + count);
        return bad ? Math.max(0, bad.start - position) : count;
      },
    };
  }

  /** The first unreadable stretch with bytes of `[start, end)`, among those that were read. */
  badIn(start: number, end: number): Stretch | undefined {
    const stretch = this.unreadable[this.#firstAfter(start)];
    return stretch && stretch.start < end ? stretch : undefined;
  }

  async #read(whole: Uint8Array, position: number, fill: number): Promise<number> {
    const { size: fileSize = Number.POSITIVE_INFINITY } = this.#source;
    const target = whole.subarray(0, Math.max(0, fileSize - position));
    let most = Math.max(BLOCK, target.length);
    for (let done = 0; done < target.length; ) {
      const at = position + done;
      const next = this.unreadable[this.#firstAfter(at)];
      const known = next && next.start <= at ? next : undefined;
      const end = Math.min(position + target.length, known ? known.end : (next?.start ?? Number.POSITIVE_INFINITY));
      if (known) {
        target.fill(fill, done, end - position);
        done = end - position;
        continue;
      }
      // Attempts end at borders of blocks, so that no good block is taken for unreadable in part.
      const size = Math.min(end, at + most - ((at + most) % BLOCK)) - at;
      try {
        const count = await readFrom(this.#source, target.subarray(done, done + size), at);
        if (count === 0) return done;
        done += count;
        most *= 2;
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        if (size > BLOCK) most = Math.max(BLOCK, Math.floor(size / 2));
        else this.#note(at, Math.min(at + BLOCK - (at % BLOCK), fileSize));
        await this.#turns.give();
      }
    }
    return target.length;
  }

  #note(start: number, end: number): void {
    const at = this.#firstAfter(start);
    const [before, after] = [this.unreadable[at - 1], this.unreadable[at]];
    const stretch = { start, end: Math.min(end, after?.start ?? end) };
    if (before?.end === start) stretch.start = before.start;
    if (after?.start === stretch.end) stretch.end = after.end;
    const first = stretch.start < start ? at - 1 : at;
    this.unreadable.splice(first, at - first + (after && stretch.end === after.end ? 1 : 0), stretch);
  }

  /** Number of the first stretch that ends after `offset`. */
  #firstAfter(offset: number): number {
    let [low, high] = [0, this.unreadable.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.unreadable[middle].end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
