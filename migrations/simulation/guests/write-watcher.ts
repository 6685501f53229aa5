import type { ProgramInput } from '../world/host-programs.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';

/** Number in place of a page: no more pages follow. */
const NO_PAGE = 0xffff_ffff;
/** Linux's numbers of errors. */
const NOT_ALLOWED = 1;
const NO_PROCESS = 3;

/** Failure of noting writes. */
export interface WatchFault {
  how: 'no-compiler' | 'refused' | 'killed' | 'error';
  /** Number of the scan that shows the failure. */
  scan: number;
}

/** The process whose memory is watched. */
interface Watched {
  readonly process: { readonly isGone: boolean };
  /** Executes its guest up to `now`. */
  catchUp(now: number): void;
  /** Each is called with each page that the guest writes. */
  readonly onWritten: Set<(page: number) => void>;
}

/**
 * Runs the program that `WriteWatch` starts: notes pages that a guest writes, as the kernel does, and reports them on
 * request.
 */
export function watchWrites(
  process: SimulatedProcess,
  { watched, fault }: { watched: Watched | undefined; fault: WatchFault | undefined },
  input: ProgramInput,
): void {
  const { timeline } = process.host.around;
  if (!watched || fault?.how === 'refused') {
    input.say('Cannot stop the process: Operation not permitted\n');
    process.end('killed');
    return;
  }
  const written = new Set<number>();
  const note = (page: number) => void written.add(page);
  watched.catchUp(timeline.now);
  watched.onWritten.add(note);
  process.atEnd(() => watched.onWritten.delete(note));
  input.say('ok\n');
  let scans = 0;
  input.onPiece = (piece) => {
    const isFaulty = fault !== undefined && ++scans >= fault.scan;
    if (piece === undefined || (isFaulty && fault.how === 'killed')) process.end('killed');
    else if (isFaulty) input.say(pairs([[NO_PAGE, NOT_ALLOWED]]));
    else if (watched.process.isGone) input.say(pairs([[NO_PAGE, NO_PROCESS]]));
    else {
      watched.catchUp(timeline.now);
      const runs = runsOf([...written].sort((a, b) => a - b));
      written.clear();
      input.say(pairs([...runs, [NO_PAGE, 0]]));
    }
  };
}

/** Neighbours as pairs of the first one and their number. */
function runsOf(pages: readonly number[]): [number, number][] {
  const runs: [number, number][] = [];
  for (const page of pages) {
    const last = runs.at(-1);
    if (last && last[0] + last[1] === page) last[1]++;
    else runs.push([page, 1]);
  }
  return runs;
}

function pairs(numbers: readonly [number, number][]): Buffer {
  return Buffer.from(Uint32Array.from(numbers.flat()).buffer);
}
