/** Counters of one module: how often each place was passed by the input that is read just now; the fuzzer clears them. */
interface Counters {
  now: Uint32Array;
  /** 255 for each place that some input has passed. */
  seen: Uint32Array;
}

interface Fuzzer {
  coverageTracker: { createModuleCounters(size: number): Uint8Array };
  tracer: {
    traceNumberCmp(one: unknown, other: unknown, operator: string, place: number): boolean;
    traceStrCmp(one: unknown, other: unknown, operator: string, place: number): boolean;
  };
}

const fuzzer = (): Fuzzer => (globalThis as unknown as { Fuzzer: Fuzzer }).Fuzzer;

/** Places in the code that inputs have reached. To be made before the modules are loaded. */
export class Coverage {
  readonly #modules: Counters[] = [];

  constructor() {
    const { coverageTracker } = fuzzer();
    const create = coverageTracker.createModuleCounters.bind(coverageTracker);
    coverageTracker.createModuleCounters = (size) => {
      // The size in bytes is that of whole words.
      const bytes = create(Math.ceil(size / 4) * 4);
      const now = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      this.#modules.push({ now, seen: new Uint32Array(now.length) });
      return bytes;
    };
  }

  /** Whether the input that is read just now has passed a place that none had passed when this was last asked. */
  hasGrown(): boolean {
    let grown = false;
    for (const { now, seen } of this.#modules) {
      for (let i = 0; i < now.length; i++) {
        if ((now[i] & ~seen[i]) === 0) continue;
        grown = true;
        seen[i] |= placesOf(now[i]);
      }
    }
    return grown;
  }
}

/** 255 in each byte that is not 0. */
function placesOf(word: number): number {
  let places = 0;
  for (let shift = 0; shift < 32; shift += 8) if ((word >>> shift) & 0xff) places |= 0xff << shift;
  return places;
}

const COMPARES: Record<string, (one: unknown, other: unknown) => boolean> = {
  '===': (one, other) => one === other,
  '!==': (one, other) => one !== other,
  '<': (one, other) => (one as number) < (other as number),
  '<=': (one, other) => (one as number) <= (other as number),
  '>': (one, other) => (one as number) > (other as number),
  '>=': (one, other) => (one as number) >= (other as number),
};
/** Places in the code are numbered at random from 0 to here. */
const PLACES = 512;
/** Comparisons that are told for one place and input; several places share a number. */
const TOLD = 4;

/**
 * Comparisons are told to the fuzzer, which then tries their operands; the first few of each place and input only, as
 * the calls out of JavaScript would take most of the time in loops. @returns a function to be called before each input
 */
export function tellFewComparisons(): () => void {
  const told = new Uint32Array(PLACES);
  const { tracer } = fuzzer();
  for (const kind of ['traceNumberCmp', 'traceStrCmp'] as const) {
    const tell = tracer[kind];
    tracer[kind] = (one, other, operator, place) =>
      told[place]++ < TOLD ? tell(one, other, operator, place) : COMPARES[operator](one, other);
  }
  return () => {
    told.fill(0);
  };
}
