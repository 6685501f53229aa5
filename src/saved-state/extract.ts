import type { ByteSource } from '../../formats/binary/source.ts';
import { FormatError, UsageError } from '../../formats/errors.ts';
import type { MemoryRange } from '../../formats/image/extents.ts';
import { findKernel, type GuestKernel } from './guest/guest-kernel.ts';
import type { RandomSink } from './image-runs.ts';
import { ImageSink } from './image-sink.ts';
import { RamPlacement } from './placement.ts';
import { type ExtractPart, type ExtractPlan, type ImageFormat, planExtraction } from './plan-extraction.ts';
import type { SavedState } from './state.ts';
import { chooseThreads } from './threads/choose-threads.ts';
import { Crew } from './threads/crew.ts';
import { findUnit } from './unit-choice.ts';
import { type WalkOptions, walkState } from './walk.ts';

export type ExtractStep = 'searching' | 'searching everywhere' | 'extracting';

export interface ExtractOptions extends ExtractPart, Pick<WalkOptions, 'signal'> {
  /** Called now and then with the offset in the source that a step has reached. Cores for debuggers begin with a search for the guest's kernel. */
  onProgress?: (offset: number, step: ExtractStep) => void;
  /** Threads to read with; default: as many as pay. The output does not depend on it. */
  threads?: number;
}

/** What was taken out. */
export interface ExtractReport {
  what: 'memory' | 'rom' | 'mmio2' | 'unit';
  format: ImageFormat;
  /** Bytes of the output. */
  size: number;
  /** Guest-physical stretches in the output; empty for parts that have no address. */
  ranges: MemoryRange[];
  /** Of a core for debuggers. */
  core?: CoreReport;
}

export interface CoreReport {
  /** The Linux kernel that was found in the guest's memory; its note VMCOREINFO is in the core then. */
  kernel?: { release: string; offset?: bigint };
  /** All virtual addresses of the kernel's half are in the core; false where there are too many, and the smallest stretches are left out. */
  allAddresses: boolean;
}

/** An output that can be written anywhere and gets its final size at the end. */
export interface ImageTarget extends RandomSink {
  truncate(size: number): Promise<void>;
  /** As of `FileSink`. */
  expectRoom?(bytes: number): Promise<void>;
}

/**
 * Writes guest memory, or one part of a state, to `target`. The state is read twice: first its heads, which say where things lie, then its
 * contents, with every check. The caller must not use the target's contents before this has returned.
 *
 * @param source seekable
 * @throws FormatError for damage, UsageError for parts that the state does not have
 */
export async function extract(source: ByteSource, target: ImageTarget, options: ExtractOptions = {}): Promise<ExtractReport> {
  if (!source.seekable) throw new UsageError('not-seekable', `Cannot extract from ${source.name}: it has to be read twice, so it must be a file`);
  const { onProgress, signal, threads, ...part } = options;
  const passing = { ...(signal ? { signal } : {}), ...(onProgress ? { onProgress: (offset: number) => onProgress(offset, 'extracting') } : {}) };
  const state = await walkState(source, { skipCrc: true, ...(signal ? { signal } : {}) });
  if (options.unit !== undefined) return extractUnit(source, target, state, options.unit, passing);
  const kernel = isDebuggersCore(part) ? await findKernel(source, state, { ...passing, ...(onProgress ? { onProgress } : {}) }) : undefined;
  const plan = planExtraction(state, part, kernel);
  if (plan.full) await target.expectRoom?.(plan.existing.reduce((sum, { start, end }) => sum + end - start, 0));
  for (const { offset, bytes } of plan.layout.fixed) await target.writeAt(bytes, offset);
  const count = plan.placement instanceof RamPlacement && namesPagesOnce(state) && target.fd !== undefined ? chooseThreads(source, threads) : 1;
  const isDone = count > 1 && (await writeTogether(source, target, plan, passing, count));
  if (!isDone) await writePages(source, plan, new ImageSink(target, plan.placement, plan.layout.size, plan.full ? 'write' : 'skip'), passing);
  await target.truncate(plan.layout.size);
  const report: ExtractReport = { what: plan.what, format: options.format ?? 'raw', size: plan.layout.size, ranges: plan.ranges };
  return kernel ? { ...report, core: coreReport(kernel, plan) } : report;
}

function isDebuggersCore({ format, rom, mmio2 }: ExtractPart): boolean {
  return format === 'elf' && rom === undefined && mmio2 === undefined;
}

function coreReport({ vmcoreinfo }: GuestKernel, { allAddresses }: ExtractPlan): CoreReport {
  if (!vmcoreinfo) return { allAddresses };
  const { release, kernelOffset } = vmcoreinfo;
  return { kernel: { release, ...(kernelOffset === undefined ? {} : { offset: kernelOffset }) }, allAddresses };
}

async function writePages(source: ByteSource, plan: ExtractPlan, sink: ImageSink, passing: WalkOptions): Promise<void> {
  await walkState(source, { ...passing, deep: true, sink });
  await sink.flush();
  if (plan.full) for (const { start, end } of plan.existing) await sink.fillUnwritten(start, end, passing.signal);
  sink.release();
}

/** By several threads. @returns false where anything went wrong, which a single thread then finds out and tells */
async function writeTogether(source: ByteSource, target: ImageTarget, plan: ExtractPlan, passing: WalkOptions, threads: number): Promise<boolean> {
  const { size } = plan.layout;
  const crew = new Crew(source, threads, 'write', { size, fd: target.fd ?? -1, writeAt: (bytes, offset) => target.writeAt(bytes, offset) });
  try {
    await writePages(source, plan, new ImageSink(target, plan.placement, size, plan.full ? 'write' : 'skip', crew), passing);
    return await crew.finish();
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  } finally {
    await crew.dismiss();
  }
}

/** Then it does not matter in which order pages are written. */
function namesPagesOnce({ pgm }: SavedState): boolean {
  return pgm !== undefined && pgm.passes.length === 1 && !pgm.ramRepeats;
}

async function extractUnit(source: ByteSource, target: ImageTarget, state: SavedState, name: string, options: WalkOptions): Promise<ExtractReport> {
  const wanted = findUnit(state, name);
  let size = 0;
  const payload = {
    wants: (unit: { offset: number }) => unit.offset === wanted.offset,
    async take(piece: Uint8Array) {
      await target.writeAt(piece, size);
      size += piece.length;
    },
  };
  await walkState(source, { ...options, deep: true, opaque: true, payload });
  await target.truncate(size);
  return { what: 'unit', format: 'raw', size, ranges: [] };
}
