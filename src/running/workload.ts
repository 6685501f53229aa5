import { swapWords } from '../../formats/binary/byte-order.ts';
import { FormatError, UsageError } from '../../formats/errors.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { chosenFrom } from '../../formats/values/chosen-from.ts';
import type { GuestMemory } from '../pgm/guest-memory.ts';
import { addressInArea, checkArea, type WorkloadArea, wholeArea } from './area.ts';
import type { ControlBlock } from './control-block.ts';
import { MOST_PLACES, TABLE_PAGES } from './paging-places.ts';
import { PATTERN_HEAD } from './pattern.ts';
import { DevicePlaces } from './places.ts';
import { NOWHERE, WORKLOAD_KINDS, type WorkloadKind } from './schedule.ts';

/** Options of a workload. */
export interface WorkloadOptions {
  /** Kind of the workload. */
  kind: WorkloadKind;
  /** Seed of all randomness: the same seed gives the same steps. */
  seed?: number;
  /** Steps per second; each writes one page. */
  rate?: number;
  /** Bytes written by a step, 16 to 4096. */
  patternSize?: number;
  /** For `hot` and `paging`: number of pages used. */
  pages?: number;
  /** Maximum memory used, in bytes; default: all RAM from 1 MiB on. */
  size?: number;
  /** For `trace`: places in their order, `NOWHERE` at the end of each interval, and the milliseconds between these. */
  trace?: { places: Uint32Array; intervalMs: number };
}

const DEFAULTS = { seed: 1, rate: 1000, patternSize: 64, pages: 256 };
/** Maximum number of entries of a trace: 64 MiB of guest memory. */
const TRACE_LIMIT = 16 * MIB;

/**
 * The control block of a new workload. @throws UsageError `bad-workload` for invalid options, or options that do not
 * fit this machine
 */
export function newBlock(memory: GuestMemory, options: WorkloadOptions): ControlBlock {
  const { kind, seed, rate, patternSize, pages, trace, size } = {
    ...DEFAULTS,
    size: Number.POSITIVE_INFINITY,
    trace: undefined,
    ...options,
  };
  chosenFrom('kind', kind, WORKLOAD_KINDS);
  if (!(patternSize >= PATTERN_HEAD && patternSize <= PAGE_SIZE && patternSize % 4 === 0))
    throw new UsageError(
      'bad-workload',
      `Cannot run workload: it writes ${patternSize} bytes a step, expected 16 to 4096, a multiple of 4`,
    );
  if (!(rate >= 1 && rate <= 0xffffffff))
    throw new UsageError('bad-workload', `Cannot run workload: rate ${rate}, expected 1 or more steps per second`);
  if ((kind === 'trace') !== (trace !== undefined))
    throw new UsageError('bad-workload', 'Cannot run workload: workload trace needs a trace, others take none');
  const area = wholeArea(memory, size);
  const traceLength = trace?.places.length ?? 0;
  const tracePages = Math.ceil((traceLength * 4) / PAGE_SIZE);
  // The trace takes the last pages below 4 GiB.
  area.lowPages -= tracePages;
  const inArea = placesIn(memory, kind, area);
  const used =
    kind === 'hot' || kind === 'paging'
      ? Math.min(pages, inArea)
      : kind === 'counter'
        ? 1
        : kind === 'idle'
          ? 0
          : inArea;
  const wanted = trace
    ? trace.places.reduce((most, place) => (place === NOWHERE ? most : Math.max(most, place + 1)), 0)
    : used;
  if (inArea < Math.max(wanted, 2) || traceLength > TRACE_LIMIT)
    throw new UsageError(
      'bad-workload',
      `Cannot run workload ${kind}: it needs ${Math.max(wanted, 2)} pages, the machine has ${inArea} for it`,
    );
  return {
    kind: WORKLOAD_KINDS.indexOf(kind),
    seed: seed >>> 0,
    patternSize,
    rate: Math.floor(rate),
    places: wanted,
    steps: 0,
    ticks: 0,
    ...area,
    traceStart: tracePages > 0 ? addressInArea({ ...area, lowPages: area.lowPages + tracePages }, area.lowPages) : 0,
    traceLength,
    intervalMs: trace?.intervalMs ?? 0,
  };
}

/** Number of places of a workload in an area. */
function placesIn(memory: GuestMemory, kind: WorkloadKind, area: WorkloadArea): number {
  if (kind === 'device') return new DevicePlaces(memory, area).count;
  if (kind === 'paging') return Math.min(MOST_PLACES, area.lowPages - TABLE_PAGES);
  return area.lowPages + area.highPages;
}

/** Checks a control block from guest memory, which may be hostile. @throws FormatError `bad-workload` */
export function checkBlock(memory: GuestMemory, block: ControlBlock): void {
  const { kind, patternSize, places, rate, traceLength, traceStart, intervalMs, steps } = block;
  checkArea(memory, block);
  const name = WORKLOAD_KINDS[kind];
  const inArea = placesIn(memory, name, block);
  const hasTrace = name === 'trace';
  const isSound =
    name !== undefined &&
    patternSize >= PATTERN_HEAD &&
    patternSize <= PAGE_SIZE &&
    patternSize % 4 === 0 &&
    rate >= 1 &&
    steps <= Number.MAX_SAFE_INTEGER &&
    places <= inArea &&
    (places > 0 || name === 'idle') &&
    hasTrace === traceLength > 0 &&
    traceLength <= TRACE_LIMIT &&
    (!hasTrace || (intervalMs > 0 && traceStart % PAGE_SIZE === 0));
  if (!isSound) throw new FormatError('bad-workload', 'Cannot continue workload: its control block makes no sense');
}

/** Reads the trace from guest memory. @throws FormatError `bad-workload` */
export function readTrace(memory: GuestMemory, { traceStart, traceLength, places }: ControlBlock): Uint32Array {
  const trace = new Uint32Array(traceLength);
  const bytes = new Uint8Array(trace.buffer);
  memory.read(traceStart, bytes);
  swapWords(bytes);
  const isSound = trace.every((place) => place < places || place === NOWHERE) && trace.includes(NOWHERE);
  if (!isSound)
    throw new FormatError('bad-workload', 'Cannot continue workload: its trace names pages outside its memory');
  return trace;
}
