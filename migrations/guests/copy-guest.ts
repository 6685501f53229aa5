import { InterruptedError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { HashBatch, PageHashes, pageOffsets } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import type { RamFiles } from './memory/ram-files.ts';
import type { QemuSource } from './qemu-source.ts';

/** Pages copied at a time: 1 MiB. */
const BATCH = 256;
const SLOTS = pageOffsets(BATCH);
/** Rounds that bring no less than this share less are the last ones. */
const WORTHWHILE = 0.9;
const MOST_ROUNDS = 30;

/** How a guest was copied. */
export interface CopyReport {
  /** Pages by round; the last one while the guest stood still. */
  rounds: number[];
  /** How long it stood still, in ms. */
  downtimeMs: number;
  totalMs: number;
  /** It was paused before, and is so again. */
  paused: boolean;
}

/** What copying goes by. */
export interface CopyOptions {
  /** How long the guest may stand still, in ms: aimed at, not promised. */
  maxDowntimeMs: number;
  signal: AbortSignal;
  /** Called after each round with its pages. */
  onRound?: (pages: number) => void;
  /** Called before the guest may stand still, which it does no sooner than this resolves. */
  beforeStop?: (isPaused: boolean) => Promise<void>;
}

/**
 * Copies a guest that runs, as it is at one moment: memory to files that hold zeros, devices as QEMU saves them. It
 * stands still for the last pages and its devices, and then goes on, whatever fails.
 * @throws SavkitError
 */
export async function copyGuest(
  source: QemuSource,
  copy: RamFiles,
  { maxDowntimeMs, signal, onRound, beforeStop }: CopyOptions,
): Promise<{ devices: Uint8Array; report: CopyReport }> {
  const start = performance.now();
  const known = new PageHashes(copy.pageCount);
  const rounds: number[] = [];
  const round = async () => {
    const pages = new PageSet(copy.pageCount);
    await source.takeDirty(pages);
    copyPages(source, copy, pages, known);
    rounds.push(pages.size);
    onRound?.(pages.size);
  };
  await source.startTracking(known);
  try {
    for (let isLast = false; !isLast; ) {
      if (signal.aborted) throw new InterruptedError();
      const began = performance.now();
      await round();
      isLast = isEnough(rounds, performance.now() - began + source.stopMs, maxDowntimeMs);
    }
    await beforeStop?.(source.isPaused);
    if (await source.readyToPause()) await round();
    if (signal.aborted) throw new InterruptedError();
    const stopped = performance.now();
    await source.pause();
    const paused = source.isPaused;
    try {
      await round();
      const devices = await source.saveRest();
      await source.stillStands();
      return { devices, report: { rounds, paused, downtimeMs: performance.now() - stopped, totalMs: stopped - start } };
    } finally {
      await source.resume();
    }
  } finally {
    await source.stopTracking();
  }
}

/** Whether another round would not make the stop shorter, or it is short enough. */
function isEnough(rounds: readonly number[], lastMs: number, maxDowntimeMs: number): boolean {
  const [before = 0, last] = rounds.slice(-2);
  return (rounds.length > 1 && (lastMs <= maxDowntimeMs || last > before * WORTHWHILE)) || rounds.length >= MOST_ROUNDS;
}

/** Copies all of memory to files that hold zeros. */
export function copyMemory(source: QemuSource, copy: RamFiles): void {
  const pages = new PageSet(copy.pageCount);
  pages.addAll();
  copyPages(source, copy, pages, new PageHashes(copy.pageCount));
}

function copyPages(source: QemuSource, copy: RamFiles, pages: PageSet, known: PageHashes): void {
  const bytes = new Uint8Array(BATCH * PAGE_SIZE);
  const list = new Uint32Array(BATCH);
  const held = new Uint8Array(BATCH);
  const batch = new HashBatch(BATCH);
  for (let page = pages.next(0); page < pages.pageCount; ) {
    let count = 0;
    for (; page < pages.pageCount && count < BATCH; page = pages.next(page + 1)) list[count++] = page;
    source.readPages(list, count, bytes, 0, held);
    batch.hash(bytes, SLOTS, count);
    copy.writePages(list, count, bytes, 0);
    // What stands in the copy counts, not what was seen before.
    for (let i = 0; i < count; i++) known.set(list[i], batch.words, i);
  }
}
