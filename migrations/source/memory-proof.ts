import { clock } from '../../formats/world/waiting.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { PageSet } from '../machine/page-set.ts';
import type { PageSpace } from '../machine/page-space.ts';
import type { SentPages } from '../pages/sent-pages.ts';
import { nodesOf, rootOf } from '../proof/hash-tree.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';
import type { LookBack, ProofReport } from '../report/report.ts';
import { endOfHashes, type Frame, readHashes, readHead } from '../wire/payload.ts';

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
    this.report = { mode, root: '', pages: space.pageCount, ms: 0, lost: [], lostPages: 0, afterwards: null };
  }

  /** With the machine running: pages that changed although nothing noted a write. */
  async audit(pending: PageSet): Promise<PageSet> {
    let changed = await this.#compareMemory(true);
    await this.#machine.takeDirty(pending);
    // A page that is written just while the dirty ones are gathered is named the next time.
    for (let tries = 0; tries < MAX_TRIES && hasOthers(changed, pending); tries++) {
      changed = this.#stillDiffering(changed);
      await this.#machine.takeDirty(pending);
    }
    return this.#nameLost(changed, pending);
  }

  /** With the machine standing still. Where that compares all of memory, it is this side's part of the proof. */
  async takeLastDirty(into: PageSet): Promise<void> {
    const start = clock();
    await this.#machine.takeDirty(into);
    if (this.#machine.comparesMemory) this.report.ms += clock() - start;
  }

  /**
   * With the machine standing still, after all that was dirty was sent: pages that differ all the same.
   * Where dirty is what differs, these have been sent.
   */
  async compareAll(): Promise<PageSet> {
    if (this.#machine.comparesMemory) return new PageSet(this.#space.pageCount);
    return this.#nameLost(await this.#compareMemory(false), undefined);
  }

  /**
   * After the hand-over, when memory stands here as it was and will not be needed any more: compares it with what was
   * sealed. What the tracking lost since the audit shows here only.
   */
  async lookBack(): Promise<LookBack> {
    const start = clock();
    const differing = await this.#differing(true);
    const lost: string[] = [];
    for (
      let page = differing.next(0);
      page < differing.pageCount && lost.length < NAMED;
      page = differing.next(page + 1)
    )
      lost.push(this.#space.nameOf(page));
    this.report.afterwards = { ms: clock() - start, lost, lostPages: differing.size, keptIn: '' };
    return this.report.afterwards;
  }

  /** What memory has to be at the target. */
  seal(): { root: bigint; nodes: Uint32Array } {
    const nodes = nodesOf(this.#sent.hashes);
    const root = rootOf(nodes);
    this.report.root = root.toString(16).padStart(16, '0');
    return { root, nodes };
  }

  /**
   * Takes a target's hashes of one node that is not so; gives the pages that differ, to be sent again.
   * @param from the first page that may be named; a target that names pages again and again would never end
   * @returns from where on the next frame may name pages; 0 when this was the last one
   */
  takeDifference(frame: Frame, from: number, into: PageSet): number {
    const { head, tail } = readHead(frame, 'differ');
    const words = readHashes(tail, head.count);
    if (head.count === 0) return 0;
    const end = endOfHashes(head, from, this.#space.pageCount);
    for (let page = head.first; page < end; page++) {
      const i = page - head.first;
      if (this.#sent.hashes.is(page, words, i)) continue;
      this.#sent.hashes.set(page, words, i);
      this.#sent.drop(page);
      into.add(page);
      this.#name(page);
    }
    return end;
  }

  async #compareMemory(pace: boolean): Promise<PageSet> {
    const start = clock();
    const differing = await this.#differing(pace);
    this.report.ms += clock() - start;
    return differing;
  }

  /** Those of some pages that are not what was sent of them, without what was written back since they were found. */
  #stillDiffering(pages: PageSet): PageSet {
    const { hashes } = this.#sent;
    const differing = new PageSet(this.#space.pageCount);
    this.#hasher.hashSome(pages, (page, words, i) => {
      if (!hashes.is(page, words, i)) differing.add(page);
    });
    return differing;
  }

  /** Pages whose content is not what was sent of them. */
  async #differing(pace: boolean): Promise<PageSet> {
    const { hashes } = this.#sent;
    const differing = new PageSet(this.#space.pageCount);
    await this.#hasher.hashAll(
      this.#space.pageCount,
      (page, words, i) => {
        if (!hashes.is(page, words, i)) differing.add(page);
      },
      pace,
    );
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
