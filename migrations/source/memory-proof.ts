import { clock } from '../../formats/world/waiting.ts';
import type { SourceMachine } from '../machine/machine.ts';
import { PageSet } from '../machine/page-set.ts';
import type { PageSpace } from '../machine/page-space.ts';
import type { SentPages } from '../pages/sent-pages.ts';
import { nodesOf, rootOf } from '../proof/hash-tree.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';
import type { LookBack, ProofReport } from '../report/report.ts';
import { endOfHashes, type Frame, readHashes, readHead } from '../wire/payload.ts';

/** Maximum number of pages that the report names; the report counts all. */
const NAMED = 16;

/** Tries until a changed page counts as lost: meanwhile, its write may have been noted. */
const MAX_TRIES = 20;

/** Finds pages that differ between machine and target by comparing hashes, independently of dirty tracking. */
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

  /** To be called while the machine runs: gives the pages that changed although no write was noted. */
  async audit(pending: PageSet): Promise<PageSet> {
    let changed = await this.#compareMemory(true);
    await this.#machine.takeDirty(pending);
    // A page written while dirty pages are collected is in the next collection.
    for (let tries = 0; tries < MAX_TRIES && hasOthers(changed, pending); tries++) {
      changed = this.#stillDiffering(changed);
      await this.#machine.takeDirty(pending);
    }
    return this.#nameLost(changed, pending);
  }

  /**
   * To be called when the machine is paused. A machine that finds dirty pages by comparing all memory does the source's
   * part of the proof by this comparison; a machine whose tracking has failed compares only now.
   */
  async takeLastDirty(into: PageSet): Promise<void> {
    const start = clock();
    await this.#machine.takeDirty(into);
    if (!this.#machine.comparesMemory) return;
    this.report.ms += clock() - start;
    if (this.report.mode === 'audited') this.report.mode = 'compared';
  }

  /**
   * To be called when the machine is paused and all dirty pages were sent: gives the pages that differ nevertheless.
   * There are none if the machine finds dirty pages by comparing.
   */
  async compareAll(): Promise<PageSet> {
    if (this.#machine.comparesMemory) return new PageSet(this.#space.pageCount);
    return this.#nameLost(await this.#compareMemory(false), undefined);
  }

  /**
   * To be called after the hand-over: compares the memory here, which stays as it was, with the sealed hashes. A write
   * that the tracking lost after the audit shows only here.
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

  /** The hashes that the target's memory has to have. */
  seal(): { root: bigint; nodes: Uint32Array } {
    const nodes = nodesOf(this.#sent.hashes);
    const root = rootOf(nodes);
    this.report.root = root.toString(16).padStart(16, '0');
    return { root, nodes };
  }

  /**
   * Takes the target's hashes of the pages below a node that differs. Pages that differ are added to `into`.
   * @param from the first page that may be named; a target that names pages again and again would never end
   * @returns the first page that the next frame may name; 0 when this was the last frame
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

  /** The pages that still differ from the bytes that were sent; a write may have undone the difference. */
  #stillDiffering(pages: PageSet): PageSet {
    const { hashes } = this.#sent;
    const differing = new PageSet(this.#space.pageCount);
    this.#hasher.hashSome(pages, (page, words, i) => {
      if (!hashes.is(page, words, i)) differing.add(page);
    });
    return differing;
  }

  /** Pages that differ from the bytes that were sent. */
  async #differing(pace: boolean): Promise<PageSet> {
    const { hashes } = this.#sent;
    const differing = new PageSet(this.#space.pageCount);
    if (this.#machine.findDiffering) {
      await this.#machine.findDiffering(hashes, differing);
      return differing;
    }
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
