import type { SourceMachine } from '../machine.ts';
import type { PageSpace } from '../page-space.ts';
import { PageSet } from '../pages/page-set.ts';
import type { SentPages } from '../pages/sent-pages.ts';
import { nodesOf, rootOf } from '../proof/hash-tree.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';
import type { ProofReport } from '../report.ts';
import { type Frame, readHashes, readHead } from '../wire/payload.ts';

/** Pages named in the report; all are counted. */
const NAMED = 16;

/** How often it is looked whether a page that has changed was noted after all. */
const MAX_TRIES = 20;

/** Finds pages of which the target does not have what the machine has, whatever the dirty tracking says. */
export class MemoryProof {
  readonly report: ProofReport;
  readonly #machine: SourceMachine;
  readonly #space: PageSpace;
  readonly #sent: SentPages;
  readonly #hasher: MemoryHasher;

  constructor(machine: SourceMachine, space: PageSpace, sent: SentPages, mode: ProofReport['mode']) {
    this.#machine = machine;
    this.#space = space;
    this.#sent = sent;
    this.#hasher = new MemoryHasher(machine);
    this.report = { mode, root: '', pages: space.pageCount, ms: 0, lost: [], lostPages: 0 };
  }

  /** With the machine running: pages that changed although nothing noted a write. */
  async audit(pending: PageSet): Promise<PageSet> {
    const changed = await this.#compareMemory(true);
    await this.#machine.takeDirty(pending);
    // A page that is written just while the dirty ones are gathered is named the next time.
    for (let tries = 0; tries < MAX_TRIES && hasOthers(changed, pending); tries++) await this.#machine.takeDirty(pending);
    return this.#nameLost(changed, pending);
  }

  /** With the machine standing still, after all that was dirty was sent: pages that differ all the same. */
  async compareAll(): Promise<PageSet> {
    return this.#nameLost(await this.#compareMemory(false), undefined);
  }

  /** What memory has to be at the target. */
  seal(): { root: bigint; nodes: Uint32Array } {
    const nodes = nodesOf(this.#sent.hashes);
    const root = rootOf(nodes);
    this.report.root = root.toString(16).padStart(16, '0');
    return { root, nodes };
  }

  /** Takes a target's hashes of one node that is not so; gives the pages that differ, to be sent again. */
  takeDifference(frame: Frame, into: PageSet): boolean {
    const { head, tail } = readHead(frame, 'differ');
    if (head.count === 0) return false;
    const words = readHashes(tail, head.count);
    for (let i = 0; i < head.count && head.first + i < this.#space.pageCount; i++) {
      const page = head.first + i;
      if (this.#sent.hashes.is(page, words, i)) continue;
      this.#sent.hashes.set(page, words, i);
      this.#sent.drop(page);
      into.add(page);
      this.#name(page);
    }
    return true;
  }

  async #compareMemory(pace: boolean): Promise<PageSet> {
    const start = performance.now();
    const { hashes } = this.#sent;
    const differing = new PageSet(this.#space.pageCount);
    await this.#hasher.hashAll(
      this.#space.pageCount,
      (page, words, i) => {
        if (!hashes.is(page, words, i)) differing.add(page);
      },
      pace,
    );
    this.report.ms += performance.now() - start;
    return differing;
  }

  #nameLost(pages: PageSet, noted: PageSet | undefined): PageSet {
    const lost = new PageSet(this.#space.pageCount);
    for (let page = pages.next(0); page < pages.pageCount; page = pages.next(page + 1)) {
      if (noted?.has(page)) continue;
      lost.add(page);
      this.#name(page);
    }
    return lost;
  }

  #name(page: number): void {
    this.report.lostPages++;
    if (this.report.lost.length < NAMED) this.report.lost.push(this.#space.nameOf(page));
  }
}

/** Whether a set has pages that another one lacks. */
function hasOthers(pages: PageSet, known: PageSet): boolean {
  for (let page = pages.next(0); page < pages.pageCount; page = pages.next(page + 1)) if (!known.has(page)) return true;
  return false;
}
