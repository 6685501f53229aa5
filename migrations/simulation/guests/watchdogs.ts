import type { Play } from '../play.ts';
import type { SimulatedProcess } from '../world/simulated-process.ts';

/** Times after the end of a process at which its watchdog asks who has the guest. */
const ASKS_AT_MS = [100, 1200, 2300];

/** Watchdogs of savkit's processes: each asks who has the guest after its process was killed. */
export class Watchdogs {
  /** Processes that a watchdog looks after. */
  readonly #watched = new Set<SimulatedProcess>();
  readonly #play: Pick<Play, 'operators' | 'timeline'>;

  constructor(play: Pick<Play, 'operators' | 'timeline'>) {
    this.#play = play;
  }

  watch(process: SimulatedProcess): void {
    this.#watched.add(process);
    const { operators, timeline } = this.#play;
    const { name } = process.host;
    const about = operators.about(name);
    process.atEnd(() => {
      if (!this.#watched.has(process)) return;
      for (const ms of ASKS_AT_MS) timeline.add(ms, undefined, () => void operators.begin(name, 'none', about));
    });
  }

  /** Ends the watchdog of a process. */
  dismiss(process: SimulatedProcess): void {
    this.#watched.delete(process);
  }
}
