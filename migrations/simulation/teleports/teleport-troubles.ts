import { DiskRefusals } from '../../../formats/testing/disk-refusals.ts';
import type { DiskWork } from '../../../formats/testing/simulated-disk.ts';
import type { HostName } from '../world/simulated-socket.ts';
import type { Timeline } from '../world/timeline.ts';
import type { TeleportTrouble } from './teleport-scenario.ts';

/** Makes each trouble happen at its time. */
export class TeleportTroubles {
  /** Kinds that have happened. */
  readonly had = new Set<TeleportTrouble['kind']>();
  /** Troubles that have happened, with their times. */
  readonly log: string[] = [];
  readonly #timeline: Timeline;
  readonly #cause: (trouble: TeleportTrouble) => unknown;
  readonly #left: Set<TeleportTrouble>;
  readonly #works: Record<HostName, number> = { source: 0, target: 0 };
  readonly #words = new Map<string, number>();
  readonly #refusals = new DiskRefusals('read');
  #isCalm = true;

  constructor(troubles: readonly TeleportTrouble[], timeline: Timeline, cause: (trouble: TeleportTrouble) => unknown) {
    this.#left = new Set(troubles);
    this.#timeline = timeline;
    this.#cause = cause;
  }

  /** Lets troubles happen from now on. */
  begin(): void {
    this.#isCalm = false;
    for (const trouble of this.#left) if ('afterMs' in trouble.at) this.#causeIn(trouble.at.afterMs, trouble);
  }

  /** Lets no trouble happen any more. */
  cease(): void {
    this.#isCalm = true;
  }

  /** To be called with all bytes that leave a host: some troubles wait for a word of the protocol. */
  noteSent(bytes: Buffer): void {
    const text = bytes.toString('latin1', 0, WORD_LIMIT);
    for (const trouble of this.#left) {
      const { at } = trouble;
      if (!('afterWord' in at) || !text.startsWith(at.afterWord)) continue;
      const key = JSON.stringify(trouble);
      const count = (this.#words.get(key) ?? 0) + 1;
      this.#words.set(key, count);
      if (count !== at.count) continue;
      if ('ms' in at) this.#causeIn(at.ms, trouble);
      else {
        this.#left.delete(trouble);
        this.#left.add({ ...trouble, at: { afterWorks: this.#works[at.of] + at.works, of: at.of } });
      }
    }
  }

  /** @returns the system's code if an operation of the target's disk fails */
  diskFault(host: HostName, work: DiskWork): string | undefined {
    if (this.#isCalm) return undefined;
    const count = ++this.#works[host];
    for (const trouble of this.#left) {
      const { at } = trouble;
      if ('afterWorks' in at && at.of === host && at.afterWorks <= count) this.#causeIn(0, trouble);
    }
    return host === 'target' ? this.#refusals.refuse(work) : undefined;
  }

  #causeIn(ms: number, trouble: TeleportTrouble): void {
    this.#left.delete(trouble);
    this.#timeline.add(ms, undefined, () => {
      if (this.#isCalm) return;
      this.had.add(trouble.kind);
      this.log.push(`${this.#timeline.now.toFixed(1)} ms: ${JSON.stringify(trouble)}`);
      if (trouble.kind === 'disk') this.#refusals.begin(trouble);
      else this.#cause(trouble);
    });
  }
}

const WORD_LIMIT = 16;
