import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { EnvironmentError, FormatError, SavkitError, UsageError } from '../../formats/errors.ts';
import { MIB } from '../../formats/units.ts';
import type { RunningMachine } from './running-machine.ts';
import { NOWHERE } from './schedule.ts';

/*
 * A dirty trace: which pages were written in which interval of time. Text, JSON, a line each:
 *
 *   {"format":"savkit-trace/1","intervalMs":10,"pages":65279}
 *   [[17,3],[200,1]]                        an interval: runs of pages, [first, how many]
 */

export interface Trace {
  intervalMs: number;
  /** Pages, by number in the workload's memory, in their order; `NOWHERE` ends each interval. */
  places: Uint32Array;
}

const FORMAT = 'savkit-trace/1';
const MAX_PLACES = 16 * MIB;
const MAX_LINE = 16 * MIB;
const MAX_INTERVAL_MS = 60_000;

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

/** @throws FormatError `bad-trace`, with the line; EnvironmentError where the file can't be read */
export async function readTraceFile(path: string): Promise<Trace> {
  const lines = createInterface({ input: createReadStream(path, { encoding: 'utf8' }), crlfDelay: Number.POSITIVE_INFINITY });
  try {
    return await readTrace(lines);
  } catch (error) {
    throw error instanceof SavkitError ? error : EnvironmentError.from(error, `read trace ${path}`);
  } finally {
    lines.close();
  }
}

/** @throws FormatError `bad-trace` */
export async function readTrace(lines: AsyncIterable<string>): Promise<Trace> {
  const places = new PlaceList();
  let intervalMs = 0;
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.length > MAX_LINE) throw badTrace(number, 'it is too long');
    const value = parse(line, number);
    if (number === 1) intervalMs = readHead(value);
    else addInterval(places, value, number);
  }
  if (number < 2) throw badTrace(number, 'there is no interval');
  return { intervalMs, places: places.all() };
}

function readHead(value: unknown): number {
  const { format, intervalMs } = (value ?? {}) as { format?: unknown; intervalMs?: unknown };
  if (format !== FORMAT) throw badTrace(1, `it is no trace of format ${FORMAT}`);
  if (typeof intervalMs !== 'number' || !Number.isInteger(intervalMs) || intervalMs < 1 || intervalMs > MAX_INTERVAL_MS)
    throw badTrace(1, `intervalMs is ${JSON.stringify(intervalMs)}, expected 1 to ${MAX_INTERVAL_MS}`);
  return intervalMs;
}

function addInterval(places: PlaceList, value: unknown, line: number): void {
  if (!Array.isArray(value)) throw badTrace(line, 'it is no list of runs');
  for (const run of value) {
    const [first, count] = Array.isArray(run) ? run : [];
    const isRun = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count > 0 && first + count < NOWHERE;
    if (!isRun) throw badTrace(line, `${JSON.stringify(run)?.slice(0, 40)} is no run [first page, pages]`);
    if (places.count + count >= MAX_PLACES) throw badTrace(line, `there are more than ${MAX_PLACES} pages`);
    for (let place = first; place < first + count; place++) places.add(place);
  }
  places.add(NOWHERE);
}

function parse(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw badTrace(number, 'it is not JSON');
  }
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

  constructor(running: RunningMachine, intervalMs: number) {
    if (!(Number.isInteger(intervalMs) && intervalMs >= 1 && intervalMs <= MAX_INTERVAL_MS))
      throw new UsageError('bad-interval', `Cannot record trace: intervals of ${intervalMs} ms, expected 1 to ${MAX_INTERVAL_MS}`);
    this.#running = running;
    this.#intervalMs = intervalMs;
  }

  /** Begins. */
  start(): void {
    this.#running.guest.onTouch = (place) => {
      if (this.#places.count < MAX_PLACES - 1) this.#seen.add(place);
    };
    this.#timer = setInterval(() => this.endInterval(), this.#intervalMs);
  }

  /** Ends an interval now; called by itself while time passes. */
  endInterval(): void {
    for (const place of [...this.#seen].sort((a, b) => a - b)) if (this.#places.count < MAX_PLACES - 2) this.#places.add(place);
    if (this.#places.count < MAX_PLACES - 1) this.#places.add(NOWHERE);
    this.#seen.clear();
  }

  /** Ends, and gives what was recorded. */
  stop(): Trace {
    clearInterval(this.#timer);
    this.#running.guest.onTouch = undefined;
    this.endInterval();
    return { intervalMs: this.#intervalMs, places: this.#places.all() };
  }
}
