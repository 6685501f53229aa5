import { SpanHashes } from '../hashing/span-hashes.ts';
import { FrameSet } from '../reading/frame-set.ts';
import { NoteQueue } from './note-queue.ts';
import type { PageGroup, PageNotes } from './page-survey.ts';

/** Pages of one pgm unit, by group. */
export type PassPages = ReadonlyMap<PageGroup, FrameSet>;

/** Index of a reading. */
type Side = 0 | 1;

/** Facts about the pages of one group in one pass. */
interface GroupNotes {
  /** Pages that the first reading has met. */
  seen: FrameSet;
  /** Pages with the same last content in both readings. */
  certain: FrameSet;
  /** By reading: hashes of pages that the other one has met with another content, or not yet. */
  waiting: readonly [SpanHashes, SpanHashes];
}

/** Pages that one reading may be ahead of the other. */
const MOST_AHEAD = 4096;

/**
 * Two readings side by side, which put different bytes in place of damaged blocks. A page that is the same in both
 * depends on no damaged block: it is certain. A page takes a bit in each of two sets. Hashes are kept only while the
 * readings do not agree on a page.
 */
export class TwoReadings {
  readonly #passes: Map<PageGroup, GroupNotes>[] = [];
  /** Pages that one reading has met since it is ahead. */
  readonly #queue = new NoteQueue<GroupNotes>();
  #ahead: Side = 0;
  readonly #hasEnded: [boolean, boolean] = [false, false];
  /** Lets the reading that waits go on. */
  #wake: (() => void) | undefined;

  /** Takes the pages of one reading. */
  notesOf(side: Side): PageNotes {
    return {
      note: (pass, group, page, hash) => this.#note(side, this.#groupOf(pass, group), page, hash),
      room: () => this.#room(side),
    };
  }

  /** Notes that a reading has ended or failed. */
  end(side: Side): void {
    this.#hasEnded[side] = true;
    // The queued pages cannot be confirmed any more.
    if (this.#ahead !== side || this.#hasEnded[other(side)]) this.#settleQueue();
  }

  /** By pass: the pages that the first reading has met. */
  get seen(): PassPages[] {
    return this.#listed(({ seen }) => seen);
  }

  /** By pass, for the same groups: the pages that are certain. */
  get certain(): PassPages[] {
    return this.#listed(({ certain }) => certain);
  }

  #listed(pick: (notes: GroupNotes) => FrameSet): PassPages[] {
    return this.#passes.map(
      (groups) =>
        new Map([...groups].filter(([, { seen }]) => seen.size > 0).map(([group, notes]) => [group, pick(notes)])),
    );
  }

  #groupOf(pass: number, group: PageGroup): GroupNotes {
    this.#passes[pass] ??= new Map();
    let notes = this.#passes[pass].get(group);
    if (!notes) {
      notes = { seen: new FrameSet(), certain: new FrameSet(), waiting: [new SpanHashes(), new SpanHashes()] };
      this.#passes[pass].set(group, notes);
    }
    return notes;
  }

  #note(side: Side, group: GroupNotes, page: number, hash: bigint): void {
    if (side === 0) group.seen.add(page);
    const queue = this.#queue;
    const isBehind = queue.length > 0 && this.#ahead !== side;
    if (isBehind && queue.startsWith(group, page, hash)) {
      queue.drop();
      agree(group, page);
      if (queue.length <= MOST_AHEAD / 2) this.#wake?.();
    } else if (this.#hasEnded[other(side)] && !isBehind) {
      settle(side, group, page, hash);
    } else if ((isBehind || queue.length === 0) && group.waiting[other(side)].has(page)) {
      settle(side, group, page, hash);
    } else if (isBehind) {
      // From here on the readings differ; pages that agree later are found by their numbers.
      this.#settleQueue();
      settle(side, group, page, hash);
    } else {
      this.#ahead = side;
      queue.add(group, page, hash);
    }
  }

  #settleQueue(): void {
    const queue = this.#queue;
    for (; queue.length > 0; queue.drop()) settle(this.#ahead, queue.owner, queue.page, queue.hash);
    this.#wake?.();
  }

  /** Waits while this reading is too far ahead of the other. */
  #room(side: Side): Promise<void> | undefined {
    if (this.#ahead !== side || this.#queue.length <= MOST_AHEAD || this.#hasEnded[other(side)]) return undefined;
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

/** Handles a page at which the readings are out of step. */
function settle(side: Side, group: GroupNotes, page: number, hash: bigint): void {
  if (group.waiting[other(side)].get(page) === hash) {
    agree(group, page);
    return;
  }
  group.waiting[side].set(page, hash);
  group.certain.remove(page);
}

function agree({ certain, waiting }: GroupNotes, page: number): void {
  certain.add(page);
  for (const hashes of waiting) hashes.set(page, 0n);
}
