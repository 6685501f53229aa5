import { setTimeout } from 'node:timers/promises';
import type { SavkitError } from '../../formats/errors.ts';
import { newMigrationId } from '../../migrations/source/migration.ts';
import type { Begun, DrainJournal, Ended } from './drain-journal.ts';
import { type Fate, type FateOptions, fateOf } from './fate.ts';
import { type FoundMachine, lookAt } from './find-machines.ts';
import { type MoveResult, move } from './move.ts';
import { consequenceOf } from './reasons.ts';
import type { DrainTarget } from './targets.ts';
import { type Leaving, WaitingLine } from './waiting-line.ts';

/** A machine and its outcome. */
export interface DrainedMachine extends FoundMachine, Ended {
  /** Target to which the machine was last sent; null: none. */
  to: string | null;
  /** Number of the machine's last migration; null: none was begun. */
  migration: string | null;
  /** Number of times that this process has sent the machine off. */
  attempts: number;
}

export interface DrainOptions {
  machines: readonly FoundMachine[];
  targets: readonly DrainTarget[];
  /** Maximum number of machines under way at a time, in all and to one target. */
  jobs: number;
  perTarget: number;
  journal: DrainJournal;
  fates: FateOptions;
  /** Options and environment of `migrate`. */
  migrate: { words: readonly string[]; env: NodeJS.ProcessEnv };
  onEvent(event: DrainEvent): void;
  /** When aborted, no further migration starts, and running migrations are cancelled where that is still possible. */
  signal: AbortSignal;
}

export type DrainEvent =
  | ({ event: 'started' } & Begun)
  | { event: 'moving'; machine: string; name: string; to: string; told: Record<string, unknown> }
  | { event: 'waiting'; machine: string; name: string; because: string }
  | ({ event: 'finished' } & DrainedMachine)
  | { event: 'target-stopped'; to: string; because: string };

/**
 * Moves machines to targets, as many at a time as there are slots. In the end each machine is at exactly one place, or
 * reported as unknown.
 */
export class Drain {
  readonly done: DrainedMachine[] = [];
  /** A machine whose place nobody knows: a person has to look before anything else moves. */
  halted: string | undefined;
  /** Reason why the journal can't be written any more; nothing more is begun then. */
  noJournal: string | undefined;
  readonly #options: DrainOptions;
  readonly #line: WaitingLine;
  readonly #moving = new Set<Promise<void>>();

  constructor(options: DrainOptions) {
    this.#options = options;
    this.#line = new WaitingLine(options.targets, options.perTarget);
  }

  async run(): Promise<readonly DrainedMachine[]> {
    const { machines, journal } = this.#options;
    for (const before of journal.before.values()) if (before.outcome !== 'stayed') await this.#recall(before);
    const isSettled = new Set(this.done.map(({ machine }) => machine));
    for (const found of machines) if (!isSettled.has(found.machine)) this.#line.add(found);
    while (this.#startSome() || this.#moving.size > 0 || !this.#line.isEmpty) await this.#untilTurn();
    return this.done;
  }

  get #isSlotFree(): boolean {
    return this.#moving.size < this.#options.jobs;
  }

  /** Waits until a machine is done, or may be tried again. */
  async #untilTurn(): Promise<void> {
    const timer = new AbortController();
    const turn = setTimeout(this.#line.msToTurn, undefined, { signal: timer.signal });
    await Promise.race([turn.catch(() => {}), ...this.#moving]);
    timer.abort();
  }

  /**
   * Looks up in the records where a machine is that an earlier process had begun to migrate. A machine that runs here
   * is sent again.
   */
  async #recall({ machine, name, migration, to, outcome }: Begun & Partial<Ended>): Promise<void> {
    const { machines, journal, fates } = this.#options;
    const found = machines.find((each) => each.machine === machine) ?? { machine, name, bytes: 0, runs: false };
    const begun = { machine, name, migration, to };
    const fate = await fateOf(migration, fates);
    if (fate.where === 'here' && found.runs) return;
    const ended: Ended =
      fate.where === 'there'
        ? { outcome: 'moved', because: outcome === 'moved' ? 'by an earlier process' : fate.because }
        : unknown({ ...fate, wasBroken: fate.where === 'here' });
    if (outcome !== ended.outcome) await this.#noted(journal.end(begun, ended));
    if (ended.outcome === 'unknown') this.halted ??= name;
    this.#finish({ ...found, name, ...ended, to, migration, attempts: 0 });
  }

  /** Starts machines while there are slots. @returns whether anything was started */
  #startSome(): boolean {
    let hasStarted = false;
    for (const leaving of this.#line.all) {
      const why = this.#whyNot(leaving);
      if (why !== undefined) {
        this.#line.take(leaving);
        this.#close(leaving, { outcome: 'stayed', because: why });
        continue;
      }
      const target = this.#isSlotFree ? this.#line.targetFor(leaving) : undefined;
      if (!target) continue;
      this.#line.take(leaving);
      target.running++;
      const work = this.#send(leaving, target).finally(() => {
        target.running--;
        this.#moving.delete(work);
      });
      this.#moving.add(work);
      hasStarted = true;
    }
    return hasStarted;
  }

  /** The reason not to send a machine; undefined if it may be sent. */
  #whyNot(leaving: Leaving): string | undefined {
    if (this.#options.signal.aborted) return 'interrupted';
    if (this.halted !== undefined) return `not sent: nobody knows where ${this.halted} is`;
    if (this.noJournal !== undefined) return `not sent: ${this.noJournal}`;
    return this.#line.whyNowhere(leaving);
  }

  async #send(leaving: Leaving, target: DrainTarget): Promise<void> {
    const { found } = leaving;
    try {
      await target.ask();
    } catch (error) {
      this.#stopTarget(target, (error as Error).message);
      return this.#line.again(leaving);
    }
    if (!target.hasRoomFor(found.bytes)) return this.#line.again(leaving);
    if (target.room?.machines === 0) return this.#later(leaving, target, 'it is busy');
    try {
      const now = await lookAt(found.machine, this.#options.signal);
      if (now.name !== found.name)
        return this.#close(leaving, { outcome: 'unknown', because: `machine ${now.name} is at its socket now` });
    } catch (error) {
      return this.#close(leaving, { outcome: 'unknown', because: (error as Error).message });
    }
    const begun = { machine: found.machine, name: found.name, migration: newMigrationId(), to: target.to };
    if (!(await this.#noted(this.#options.journal.begin(begun)))) return this.#line.again(leaving);
    Object.assign(leaving, { last: begun, attempts: leaving.attempts + 1 });
    this.#options.onEvent({ event: 'started', ...begun });
    await this.#settle(leaving, target, begun, await this.#move(begun));
  }

  #move({ machine, name, to, migration }: Begun): Promise<MoveResult> {
    const { migrate, fates, signal, onEvent } = this.#options;
    return move(
      [machine, '--to', to, '--records', fates.records, '--migration', migration, ...migrate.words],
      migrate.env,
      (told) => onEvent({ event: 'moving', machine, name, to, told }),
      signal,
    );
  }

  /** Settles the outcome of a migration by the records: only a machine that they place here is sent again. */
  async #settle(leaving: Leaving, target: DrainTarget, begun: Begun, result: MoveResult): Promise<void> {
    const { code, downtimeMs, message } = result;
    if (result.outcome === 'handed-over') {
      target.moved++;
      const because = message === '' && result.exitCode !== 0 ? 'some of its writes are lost' : message;
      return this.#end(leaving, begun, { outcome: 'moved', because, downtimeMs });
    }
    const fate = await fateOf(begun.migration, { ...this.#options.fates, signal: new AbortController().signal });
    if (fate.where === 'there') return this.#end(leaving, begun, { outcome: 'moved', because: fate.because });
    if (fate.where === 'unknown' || !(await this.#runsHere(leaving.found, fate))) {
      this.halted ??= begun.name;
      return this.#end(leaving, begun, { ...unknown(fate), code });
    }
    const consequence = result.exitCode === null ? 'later' : consequenceOf(code);
    if (consequence === 'target-stops') this.#stopTarget(target, message);
    if (consequence === 'elsewhere') leaving.tried.set(target.to, message);
    if (consequence === 'stays' || this.#options.signal.aborted)
      return this.#end(leaving, begun, { outcome: 'stayed', because: message, code });
    await this.#noted(this.#options.journal.end(begun, { outcome: 'stayed', because: message, code }));
    return consequence === 'later' ? this.#later(leaving, target, message) : this.#line.again(leaving);
  }

  /**
   * Whether a machine runs here. If the process of its migration ended midway, it may be gone with the process, or
   * stand still.
   */
  async #runsHere({ machine }: FoundMachine, { wasBroken = false }: Fate): Promise<boolean> {
    if (!wasBroken) return true;
    return lookAt(machine, this.#options.signal).then(
      ({ runs }) => runs,
      () => false,
    );
  }

  #later(leaving: Leaving, target: DrainTarget, because: string): void {
    this.#line.later(leaving, target, because);
    const { machine, name } = leaving.found;
    if (leaving.waits === 1) this.#options.onEvent({ event: 'waiting', machine, name, because });
  }

  #stopTarget(target: DrainTarget, because: string): void {
    if (target.stoppedBecause !== undefined) return;
    target.stoppedBecause = because;
    this.#options.onEvent({ event: 'target-stopped', to: target.to, because });
  }

  async #end(leaving: Leaving, begun: Begun, ended: Ended): Promise<void> {
    await this.#noted(this.#options.journal.end(begun, ended));
    this.#close(leaving, ended);
  }

  /**
   * Waits for an entry of the journal. A migration under way is finished even if its entry can't be written, as the
   * records tell of the migration. @returns whether the entry was written
   */
  #noted(work: Promise<void>): Promise<boolean> {
    return work.then(
      () => true,
      (error: SavkitError) => {
        this.noJournal ??= error.message;
        return false;
      },
    );
  }

  /** Notes the final outcome of a machine. */
  #close({ found, last, attempts }: Leaving, ended: Ended): void {
    this.#finish({ ...found, ...ended, to: last?.to ?? null, migration: last?.migration ?? null, attempts });
  }

  #finish(machine: DrainedMachine): void {
    this.done.push(machine);
    this.#options.onEvent({ event: 'finished', ...machine });
  }
}

function unknown({ because, wasBroken }: Fate): Ended {
  const why = wasBroken ? 'its migration broke off, and it does not run at its socket' : because;
  return { outcome: 'unknown', because: why };
}
