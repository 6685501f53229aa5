import { linesOf } from '../../formats/binary/lines.ts';
import { FormatError, tooMany, UsageError } from '../../formats/errors.ts';
import { type ByteSource, chunksOf, openFile } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import { readJson } from '../../formats/values/json-text.ts';
import { integer, kind, record } from '../../formats/values/shape.ts';
import type { RunningMachine } from './running-machine.ts';
import { NOWHERE } from './schedule.ts';

/*
 * A dirty trace: which pages were written in which interval of time. Text, JSON, a line each:
 *
 *   {"format":"savkit-trace/1","intervalMs":10,"pages":65279}
 *   [[17,3],[200,1]]                        an interval: runs of pages, [first, how many]
 */

/** Pages that a workload wrote, by time. */
export interface Trace {
  /** Milliseconds of each interval. */
  intervalMs: number;
  /** Pages, by number in the workload's memory, in their order; `NOWHERE` ends each interval. */
  places: Uint32Array;
}

const FORMAT = 'savkit-trace/1';
const MAX_PLACES = 16 * MIB;
/** Bytes of a line: enough for an interval in which every other page of 10 GiB was written. */
const MAX_LINE = 16 * MIB;
const MAX_HEAD = 1024;
const MAX_INTERVAL_MS = 60_000;

const headShape = record({
  format: kind((value) => value === FORMAT, FORMAT),
  intervalMs: integer(1, MAX_INTERVAL_MS),
});

/** A trace as text, line by line. */
export function* traceLines({ intervalMs, places }: Trace): Generator<string> {
  const pages = places.reduce((most, place) => (place === NOWHERE ? most : Math.max(most, place + 1)), 0);
  yield JSON.stringify({ format: FORMAT, intervalMs, pages });
  let runs: [number, number][] = [];
  for (const place of places) {
    const last = runs.at(-1);
    if (place === NOWHERE) {
      yield JSON.stringify(runs);
      runs = [];
    } else if (last && last[0] + last[1] === place) last[1]++;
    else runs.push([place, 1]);
  }
}

/** @throws FormatError `bad-trace`, with the line, `too-long`; EnvironmentError where the file can't be read */
export async function readTraceFile(path: string): Promise<Trace> {
  const source = await openFile(path);
  try {
    return await readTraceFrom(source);
  } finally {
    await source.close();
  }
}

/** @throws as `readTraceFile` does */
export function readTraceFrom(source: ByteSource): Promise<Trace> {
  return readTrace(linesOf(chunksOf(source), MAX_LINE));
}

/** @throws FormatError `bad-trace` */
export async function readTrace(lines: AsyncIterable<string>): Promise<Trace> {
  const places = new PlaceList();
  let intervalMs = 0;
  let number = 0;
  for await (const line of lines) {
    number++;
    if (number === 1) intervalMs = readHead(line);
    else addInterval(places, line, number);
  }
  if (number < 2) throw badTrace(number, 'there is no interval');
  return { intervalMs, places: places.all() };
}

function readHead(line: string): number {
  if (line.length > MAX_HEAD) throw badTrace(1, `it is no trace of format ${FORMAT}`);
  return readJson(line, headShape, (why) => badTrace(1, why)).intervalMs;
}

const NO_RUNS = /^\s*\[\s*\]\s*$/;
/** A run with its end: a comma before the next one, or the end of the line. */
const RUN = /\s*\[\s*(\d+)\s*,\s*(\d+)\s*\]\s*(,|\]\s*$)/y;

/** Parses run by run, since the line as one value of JSON would take many times its size. */
function addInterval(places: PlaceList, line: string, number: number): void {
  const start = /\S/.exec(line)?.index ?? 0;
  if (line[start] !== '[') throw badTrace(number, 'it is no list of runs');
  RUN.lastIndex = start + 1;
  for (let isLast = NO_RUNS.test(line); !isLast; ) {
    const at = RUN.lastIndex;
    const [, first, count, end] = RUN.exec(line) ?? [];
    if (end === undefined || Number(count) === 0 || Number(first) + Number(count) >= NOWHERE)
      throw badTrace(number, `${line.slice(at, at + 40).split(']')[0]}] is no run [first page, pages]`);
    addRun(places, Number(first), Number(count), number);
    isLast = end !== ',';
  }
  places.add(NOWHERE);
}

function addRun(places: PlaceList, first: number, count: number, line: number): void {
  if (places.count + count >= MAX_PLACES) throw tooMany(`pages of a trace, line ${line}`, MAX_PLACES);
  for (let place = first; place < first + count; place++) places.add(place);
}

function badTrace(line: number, why: string): FormatError {
  return new FormatError('bad-trace', `Cannot read trace, line ${line}: ${why}`);
}

class PlaceList {
  #places = new Uint32Array(1024);
  count = 0;

  add(place: number): void {
    if (this.count === this.#places.length) {
      const larger = new Uint32Array(2 * this.count);
      larger.set(this.#places);
      this.#places = larger;
    }
    this.#places[this.count++] = place;
  }

  all(): Uint32Array {
    return this.#places.slice(0, this.count);
  }
}

/** Records which pages a machine's workload writes, each once an interval. */
export class TraceRecorder {
  readonly #running: RunningMachine;
  readonly #intervalMs: number;
  readonly #places = new PlaceList();
  readonly #seen = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param intervalMs milliseconds of each interval */
  constructor(running: RunningMachine, intervalMs: number) {
    if (!(Number.isInteger(intervalMs) && intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS))
      throw new UsageError(
        'bad-interval',
        `Cannot record trace: intervals of ${intervalMs} ms, expected 1 to ${MAX_INTERVAL_MS}`,
      );
    this.#running = running;
    this.#intervalMs = intervalMs;
  }

  /** Begins to note pages that the guest touches. */
  start(): void {
    this.#running.guest.onTouch = (place) => {
      if (this.#places.count < MAX_PLACES - 1) this.#seen.add(place);
    };
    this.#timer = setInterval(() => this.endInterval(), this.#intervalMs);
  }

  /** Ends an interval now; called by itself while time passes. */
  endInterval(): void {
    for (const place of [...this.#seen].sort((a, b) => a - b))
      if (this.#places.count < MAX_PLACES - 2) this.#places.add(place);
    if (this.#places.count < MAX_PLACES - 1) this.#places.add(NOWHERE);
    this.#seen.clear();
  }

  /** Ends the recording. @returns the trace */
  stop(): Trace {
    clearInterval(this.#timer);
    this.#running.guest.onTouch = undefined;
    this.endInterval();
    return { intervalMs: this.#intervalMs, places: this.#places.all() };
  }
}
