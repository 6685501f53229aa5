import { FormatError, UsageError } from '../../../formats/errors.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import type { MemoryRange } from '../../../formats/image/extents.ts';
import { chosenFrom } from '../../../formats/values/chosen-from.ts';
import { readState } from '../families/read-state.ts';
import { findKernel, type GuestKernel } from '../guest/guest-kernel.ts';
import { findUnit } from '../layout/unit-choice.ts';
import type { StateView } from '../reading/state-view.ts';
import type { WalkOptions } from '../reading/walk.ts';
import { chooseThreads } from '../threads/choose-threads.ts';
import { expectRange } from './expect-range.ts';
import type { RandomSink } from './image-runs.ts';
import { ImageSink } from './image-sink.ts';
import {
  type ExtractPart,
  type ExtractPlan,
  IMAGE_FORMATS,
  type ImageFormat,
  planExtraction,
} from './plan-extraction.ts';

/** The step under way. */
export type ExtractStep = 'searching' | 'searching everywhere' | 'checking' | 'extracting' | 'filling' | 'writing';

/** Options of an extraction. */
export interface ExtractOptions extends ExtractPart, Pick<WalkOptions, 'signal'> {
  /**
   * Called now and then with the progress of a step: an offset in the source, or of `total` bytes of the output. Cores
   * for debuggers begin with a search for the guest's kernel.
   */
  onProgress?: (done: number, step: ExtractStep, total?: number) => void;
  /** Number of reading threads; default: as many as pay. The output does not depend on it. */
  threads?: number;
}

/** Report of an extraction. */
export interface ExtractReport {
  /** Kind of the extracted data. */
  what: 'memory' | 'rom' | 'mmio2' | 'unit';
  /** Format that was written. */
  format: ImageFormat;
  /** Bytes of the output. */
  size: number;
  /** Guest-physical stretches in the output; empty for parts that have no address. */
  ranges: MemoryRange[];
  /** Facts about a core for debuggers; absent for other formats. */
  core?: CoreReport;
  /** Reason why a core has no registers. */
  registersMissing?: string;
  /** Reason why memory may lie at other addresses than in the output. */
  uncertain?: string;
  /** Pages that a whole state would have, and this one lacks. */
  missing?: string;
}

/** Contents of a core file. */
export interface CoreReport {
  /** The Linux kernel that was found in the guest's memory; its note VMCOREINFO is in the core then. */
  kernel?: { release: string; offset?: bigint };
  /**
   * All virtual addresses of the kernel's half are in the core; false where there are too many, and the smallest
   * stretches are left out.
   */
  allAddresses: boolean;
}

/** An output that can be written anywhere and gets its final size at the end. */
export interface ImageTarget extends RandomSink {
  /** Sets the size of the file in bytes. @throws EnvironmentError */
  truncate(size: number): Promise<void>;
  /** As of `FileSink`. */
  expectRoom?(bytes: number): Promise<void>;
}

/**
 * Writes guest memory, or one part of a state, to `target`. The state is read twice: first its heads, which tell the
 * places of all parts, then its contents, with every check. The caller must not use the target's contents before
 * `extract` has returned.
 *
 * @param source seekable
 * @throws FormatError for damage, UsageError for parts that the state does not have
 */
export async function extract(
  source: ByteSource,
  target: ImageTarget,
  options: ExtractOptions = {},
): Promise<ExtractReport> {
  const { onProgress, signal, threads } = options;
  const passing = {
    signal,
    onProgress: onProgress && ((offset: number) => onProgress(offset, 'extracting')),
  };
  const { state, plan: planned } = await prepareExtraction(source, options);
  if (options.unit !== undefined) return extractUnit(source, target, state, options.unit, passing);
  const { plan, kernel } = await planned();
  if (plan.full) await target.expectRoom?.(plan.existing.reduce((sum, { start, end }) => sum + end - start, 0));
  for (const { offset, bytes } of plan.layout.fixed) await target.writeAt(bytes, offset);
  const threadCount = chooseThreads(source, threads);
  const onFill = onProgress && ((done: number, total: number) => onProgress(done, 'filling', total));
  const job: WriteJob = { source, plan, passing, onFill };
  const isDone = threadCount > 1 && (await writeTogether(target, job, threadCount));
  if (!isDone) await writePages(target, job);
  await target.truncate(plan.layout.size);
  return reportOf(plan, options, kernel);
}

/**
 * Reads the heads of a state, which tell the places of all parts. A single unit needs no plan.
 * @throws UsageError for sources that can't be read again, and for a format that is none
 */
export async function prepareExtraction(source: ByteSource, options: ExtractOptions) {
  if (!source.seekable)
    throw new UsageError(
      'not-seekable',
      `Cannot extract from ${source.name}: it has to be read twice, so it must be a file`,
    );
  const { onProgress, signal, threads: _, ...part } = options;
  if (part.range) expectRange(part.range);
  chosenFrom('format', part.format ?? 'raw', IMAGE_FORMATS);
  const passing = { signal, onProgress };
  const state = await readState(source, { skipCrc: true, signal });
  const plan = async () => {
    const kernel = isDebuggersCore(part) ? await findKernel(source, state, passing) : undefined;
    return { plan: planExtraction(state, part, kernel), kernel };
  };
  return { state, plan };
}

export function reportOf(
  plan: ExtractPlan,
  { format = 'raw' }: ExtractOptions,
  kernel: GuestKernel | undefined,
): ExtractReport {
  const { what, layout, ranges, registersMissing, uncertain, missing } = plan;
  const report: ExtractReport = { what, format, size: layout.size, ranges };
  if (registersMissing !== undefined) report.registersMissing = registersMissing;
  if (uncertain !== undefined) report.uncertain = uncertain;
  if (missing !== undefined) report.missing = missing;
  return kernel ? { ...report, core: coreReport(kernel, plan) } : report;
}

function isDebuggersCore({ format, rom, mmio2 }: ExtractPart): boolean {
  return format === 'elf' && rom === undefined && mmio2 === undefined;
}

function coreReport({ vmcoreinfo }: GuestKernel, { allAddresses }: ExtractPlan): CoreReport {
  if (!vmcoreinfo) return { allAddresses };
  const { release, kernelOffset } = vmcoreinfo;
  return { kernel: { release, offset: kernelOffset }, allAddresses };
}

interface WriteJob {
  source: ByteSource;
  plan: ExtractPlan;
  passing: WalkOptions;
  onFill: ((done: number, total: number) => void) | undefined;
}

/** @param threads that decode; only the calling thread writes */
async function writePages(
  target: ImageTarget,
  { source, plan, passing, onFill }: WriteJob,
  threads = 1,
): Promise<void> {
  const { full, existing, layout, placement } = plan;
  const readers = threads > 1 ? { source, threads } : undefined;
  const sink = new ImageSink(target, placement, layout.size, full ? 'write' : 'skip', readers);
  try {
    await readState(source, { ...passing, deep: true, sink });
    await sink.flush();
    if (!full) return;
    const progress = onFill && ((offset: number) => onFill(offset, layout.size));
    for (const { start, end } of existing) await sink.fillUnwritten(start, end, passing.signal, progress);
  } finally {
    await sink.release();
  }
}

/** Writes with several threads. @returns false if anything failed: a single thread then finds and reports the fault */
async function writeTogether(target: ImageTarget, job: WriteJob, threads: number): Promise<boolean> {
  try {
    await writePages(target, job, threads);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}

async function extractUnit(
  source: ByteSource,
  target: ImageTarget,
  state: StateView,
  name: string,
  options: WalkOptions,
): Promise<ExtractReport> {
  const report = await copyUnit(source, state, name, { ...options, deep: true }, (piece, at) =>
    target.writeAt(piece, at),
  );
  await target.truncate(report.size);
  return report;
}

/** Passes the decoded payload of a unit to `write`, piece by piece; a piece is borrowed until `write` returns. */
export async function copyUnit(
  source: ByteSource,
  state: StateView,
  name: string,
  options: WalkOptions,
  write: (piece: Uint8Array, at: number) => Promise<void>,
): Promise<ExtractReport> {
  const wanted = findUnit(state, name);
  let size = 0;
  const payload = {
    wants: (unit: { offset: number }) => unit.offset === wanted.offset,
    async take(piece: Uint8Array) {
      await write(piece, size);
      size += piece.length;
    },
  };
  await readState(source, { ...options, opaque: true, payload });
  return { what: 'unit', format: 'raw', size, ranges: [] };
}
