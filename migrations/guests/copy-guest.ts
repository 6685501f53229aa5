import { InterruptedError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { clock } from '../../formats/world/waiting.ts';
import { HashBatch, PageHashes, pageOffsets } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import type { RamFiles } from './memory/ram-files.ts';
import type { QemuSource } from './qemu-source.ts';

/** Pages copied at a time: 1 MiB. */
const BATCH = 256;
const SLOTS = pageOffsets(BATCH);
/** A round with more than this share of the pages of the one before is the last. */
const WORTHWHILE = 0.9;
const MOST_ROUNDS = 30;

/** Report of a copy. */
export interface CopyReport {
  /** Pages by round; the guest was paused in the last one. */
  rounds: number[];
  /** Downtime in ms. */
  downtimeMs: number;
  totalMs: number;
  /** The guest was paused before, and has stayed so. */
  paused: boolean;
}

/** Options of a copy. */
export interface CopyOptions {
  /** Longest downtime in ms, as an aim. */
  maxDowntimeMs: number;
  signal: AbortSignal;
  /** Called after each round with its pages. */
  onRound?: (pages: number) => void;
  /** Called before the guest is paused, and awaited. */
  beforeStop?: (isPaused: boolean) => Promise<void>;
}

/**
 * Copies a running guest at one moment: memory to files of zeros, devices as QEMU saves them. The guest is paused for
 * its last pages and devices, and then goes on, even after a failure.
 * @throws SavkitError
 */
export async function copyGuest(
  source: QemuSource,
  copy: RamFiles,
  { maxDowntimeMs, signal, onRound, beforeStop }: CopyOptions,
): Promise<{ devices: Uint8Array; report: CopyReport }> {
  const start = clock();
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
      const began = clock();
      await round();
      isLast = isEnough(rounds, clock() - began + source.stopMs, maxDowntimeMs);
    }
    await beforeStop?.(source.isPaused);
    if (await source.readyToPause()) await round();
    if (signal.aborted) throw new InterruptedError();
    const stopped = clock();
    try {
      // A QEMU that has not answered may stop the guest all the same.
      await source.pause();
      const paused = source.isPaused;
      await round();
      const devices = await source.saveRest();
      await source.stillStands();
      return { devices, report: { rounds, paused, downtimeMs: clock() - stopped, totalMs: stopped - start } };
    } finally {
      await source.resume();
    }
  } finally {
    await source.stopTracking();
    // QEMU may answer again by now.
    if (await source.mayStand()) await source.resume();
  }
}

/** Whether the downtime is short enough, or another round would not shorten it. */
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
    // The hashes have to be those of the copied bytes.
    for (let i = 0; i < count; i++) known.set(list[i], batch.words, i);
  }
}
