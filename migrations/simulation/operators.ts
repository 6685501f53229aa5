import { SavkitError } from '../../formats/errors.ts';
import type { DecisionRecord } from '../hand-over/decision-record.ts';
import { type ResolvedRecords, resolveRecordFiles } from '../hand-over/resolve-files.ts';
import { RECORDS, type SimulatedHost } from './world/simulated-process.ts';
import type { HostName } from './world/simulated-socket.ts';
import type { Timeline } from './world/timeline.ts';

/** A copied record. */
interface Copy {
  bytes: Buffer;
  /** Its process had ended when the copy was made. */
  hadEnded: boolean;
}

/** Surroundings of the operators. */
export interface Ground {
  readonly hosts: Record<HostName, SimulatedHost>;
  readonly timeline: Timeline;
  readonly faults: string[];
  readonly isCalm: boolean;
  recordOf(host: HostName): string;
  /** Carries out a decision on who has the machine, as the operators' program does. */
  carryOut?(resolved: ResolvedRecords): Promise<void>;
  /** Acts as operators do once they have been told which side has the machine. */
  follow(survivor: HostName): void;
}

const OTHER = { source: 'target', target: 'source' } as const;

/** Operators on both hosts, who copy records, ask which side may run the machine, and follow the answer. */
export class Operators {
  readonly #play: Ground;
  #copies: Partial<Record<HostName, Copy>> = {};
  /** Sides named in answers so far. */
  told: HostName[] = [];
  #copied = 0;

  constructor(play: Ground) {
    this.#play = play;
  }

  /** Forgets records and answers of a migration, since another one begins. */
  beginAnew(): void {
    this.#copies = {};
    this.told = [];
  }

  /** The migration under way: the record of a side, and the answers about it. */
  about(host: HostName): { path: string; told: HostName[] } {
    return { path: this.#play.recordOf(host), told: this.told };
  }

  /** Copies the record of a side as it is now. */
  copy(side: HostName): void {
    const { hosts } = this.#play;
    const file = hosts[side].files.names.get(this.#play.recordOf(side));
    if (!file || !hosts[side].isUp) return;
    const text = file.bytes.toString();
    if (!text.endsWith('}\n')) return void this.#play.faults.push(`the record of the ${side} is torn`);
    this.#copies[side] = { bytes: Buffer.from(file.bytes), hadEnded: this.hasEnded(side) };
  }

  /** Whether the process in a side's record has ended; false without a record. */
  hasEnded(side: HostName): boolean {
    const host = this.#play.hosts[side];
    const file = host.files.names.get(this.#play.recordOf(side));
    if (!file) return false;
    const { pid, place, begunAt } = JSON.parse(file.bytes.toString()) as DecisionRecord;
    const process = host.running.get(pid);
    return process?.place !== place || process.begunAt !== begunAt;
  }

  /** Asks on one host, and waits for the answer. @param which copy, as for `begin` */
  async ask(host: HostName, which: 'fresh' | 'any' | 'none'): Promise<void> {
    const { timeline } = this.#play;
    let isOver = false;
    void this.begin(host, which).then(() => {
      isOver = true;
    });
    if (which === 'fresh') await timeline.run(() => isOver, 60_000);
  }

  /**
   * Asks on one host. @param which copy of the other side's record: one made now, the last one, or none
   * @param about the migration that is asked about
   * @returns resolves when the operator's program has ended
   */
  begin(host: HostName, which: 'fresh' | 'any' | 'none', about = this.about(host)): Promise<void> {
    // `isCalm` is read now, as a question may fail from troubles that cease meanwhile.
    const { hosts, timeline, isCalm } = this.#play;
    const { path, told } = about;
    if (!hosts[host].isUp || !hosts[host].files.names.has(path)) return Promise.resolve();
    if (which === 'fresh') this.copy(OTHER[host]);
    const copy = which === 'none' ? undefined : this.#copies[OTHER[host]];
    const peerPath = copy && `${RECORDS}/copy-${++this.#copied}`;
    if (copy && peerPath !== undefined) {
      hosts[host].files.create(peerPath).write(copy.bytes, 0);
      hosts[host].files.names.get(peerPath)?.sync();
    }
    const process = hosts[host].start();
    const ended = new Promise<void>((resolve) => process.atEnd(resolve));
    timeline.add(0, process, () => {
      resolveRecordFiles({ path, peerPath, peerEnded: copy?.hadEnded ?? false })
        .then(
          async (resolved) => {
            const { survivor, notYet } = resolved.resolution;
            if (survivor === 'undecided' || notYet !== undefined) return;
            this.#hear(told, survivor);
            await this.#play.carryOut?.(resolved);
          },
          (error) => {
            if (!(error instanceof SavkitError)) this.#play.faults.push(`resolve: ${(error as Error).stack}`);
            else if (isCalm) this.#play.faults.push(`resolve cannot say: ${error.message}`);
          },
        )
        .finally(() => process.endWhenIdle());
    });
    return ended;
  }

  /** @param told sides named before about the same migration */
  #hear(told: HostName[], survivor: HostName): void {
    if (told.length > 0 && told[0] !== survivor) this.#play.faults.push(`told ${told[0]}, then ${survivor}`);
    told.push(survivor);
    this.#play.follow(survivor);
  }
}
