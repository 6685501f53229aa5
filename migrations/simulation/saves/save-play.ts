import { SavkitError } from '../../../formats/errors.ts';
import { type FileSink, writeFileSink } from '../../../formats/files/sink.ts';
import { MIB } from '../../../formats/sizes.ts';
import { DiskRefusals } from '../../../formats/testing/disk-refusals.ts';
import { Random } from '../../../formats/testing/random.ts';
import type { DiskWork } from '../../../formats/testing/simulated-disk.ts';
import { sleep } from '../../../formats/world/waiting.ts';
import { liveSave } from '../../../src/live-save/live-save.ts';
import type { Machine } from '../../../src/machine/machine.ts';
import type { MachineState } from '../../../src/machine/machine-states.ts';
import { RunningMachine } from '../../../src/running/running-machine.ts';
import { type Standing, standingOf } from '../saved-file.ts';
import { doAct, type UserAct } from '../user-acts.ts';
import { SimulatedHost, type SimulatedProcess, type Surroundings } from '../world/simulated-process.ts';
import { Timeline } from '../world/timeline.ts';
import type { SaveScenario, SaveTrouble, SaveTroubleTime } from './save-scenario.ts';

/** Target of all saves. */
const PATH = '/machines/live.sav';
/** A user who has stopped a machine in the debugger lets it go on after this time. */
const DEBUGS_MS = 700;
const LEAST_ROOM = 64 * MIB;

/** A file as it must be. */
interface Saved extends Standing {
  bytes: Buffer;
}

/** A machine that is saved live while its disk, its host and its user interfere. */
export class SavePlay implements Surroundings {
  readonly scenario: SaveScenario;
  readonly timeline = new Timeline();
  readonly random: Random;
  readonly host = new SimulatedHost('source', this);
  readonly givesNumbersAgain = false;
  /** Violations of the rules. */
  readonly faults: string[] = [];
  /** Troubles that have happened. */
  readonly log: string[] = [];
  /** Outcome of each save: `saved`, or the code of its error. */
  readonly ends: string[] = [];
  /** Content of the file as long as the host does not crash. */
  saved: Saved | undefined;
  /**
   * Contents that the file may have after a crash: a save that could not make its new name durable leaves the old one
   * or the new one.
   */
  durable: (Saved | undefined)[] = [undefined];
  /** Content that the save under way will write; known once its machine stands still. */
  coming: Standing | undefined;
  readonly #machine: Machine;
  readonly #left: Set<SaveTrouble>;
  readonly #had = new Set<string>();
  #process!: SimulatedProcess;
  #running!: RunningMachine;
  /** State of the machine apart from saves. */
  #wanted: MachineState = 'running';
  /** State of the machine when the last save began. */
  #began: MachineState = 'running';
  #abort: AbortController | undefined;
  readonly #refusals = new DiskRefusals('read', 'unlink');
  #works = 0;
  #isOver = false;

  constructor(scenario: SaveScenario, machine: Machine) {
    this.scenario = scenario;
    this.random = new Random(scenario.seed);
    this.#machine = machine;
    this.#left = new Set(scenario.troubles);
  }

  /** Content of the file in the end. */
  get file(): Buffer | undefined {
    return this.host.files.names.get(PATH)?.bytes;
  }

  async run(): Promise<void> {
    const process = this.host.start();
    this.#process = process;
    process.do(() => {
      this.#running = RunningMachine.of(this.#machine, this.scenario.workload);
      this.#running.runSteps(this.scenario.stepsBefore);
      this.#running.resume();
    });
    for (const trouble of this.#left)
      if ('afterMs' in trouble.at) this.timeline.add(trouble.at.afterMs, undefined, () => this.#cause(trouble));
    this.timeline.add(1, process, () => {
      this.#saveAll().catch((error: Error) => this.faults.push(`an error inside: ${error.stack}`));
    });
    await this.timeline.run(() => this.#isOver || process.isGone, 30 * 60_000);
    if (process.isGone) return this.#startAgain();
    if (!this.#isOver) this.faults.push('a save comes to no end');
    process.do(() => this.#switchOff());
    await this.timeline.run(() => false, 1000);
    this.#lookForRests();
    if (process.timers.size > 0) this.faults.push(`${process.timers.size} timers are left`);
  }

  async #saveAll(): Promise<void> {
    for (let i = 0; i < this.scenario.saves; i++) {
      await this.#save();
      await sleep(this.random.below(200));
    }
    this.#isOver = true;
  }

  async #save(): Promise<void> {
    const { maxDowntimeMs, leaveSuspended, limits, fullAfterPass } = this.scenario;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    this.coming = undefined;
    let pass = -1;
    let end = 'saved';
    try {
      await writeFileSink(PATH, { force: true }, (sink) => {
        this.#began = this.#wanted;
        return liveSave(this.#running, this.#slow(sink), {
          ...{ maxDowntimeMs, leaveSuspended, limits, signal },
          freeSpace: async () => (++pass === fullAfterPass ? 0 : LEAST_ROOM),
          onProgress: (percent) => percent === 100 && this.#stands(),
        });
      });
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      end = error.code;
    }
    this.#abort = undefined;
    this.ends.push(end);
    this.#judgeFile(end);
    this.#judgeMachine(end);
    if (!this.#mayEnd(end)) this.faults.push(`a save has ended with ${end}, for no reason`);
  }

  /** To be called when all is written: the file must hold the machine as it is now. */
  #stands(): void {
    this.coming = standingOf(this.#running);
    if (this.scenario.leaveSuspended && this.#wanted === 'running') this.#wanted = 'suspended';
  }

  /** Slows the writes to a disk, during which the guest runs on. */
  #slow(sink: FileSink): { write(bytes: Uint8Array): Promise<void> } {
    return {
      write: async (bytes) => {
        await sleep(bytes.length / this.scenario.bytesPerMs);
        await sink.write(bytes);
      },
    };
  }

  /** Checks that a failed save leaves the older file, or the whole new one if only making it durable failed. */
  #judgeFile(end: string): void {
    const { file, saved, coming } = this;
    const isAsBefore = file === undefined ? saved === undefined : saved?.bytes.equals(file) === true;
    if (end === 'saved' ? !coming || !file : !isAsBefore && !coming) this.faults.push(`no file as told: ${end}`);
    if (file && coming && !isAsBefore) {
      this.saved = { ...coming, bytes: Buffer.from(file) };
      this.durable = end === 'saved' ? [this.saved] : [...this.durable, this.saved];
    }
    this.coming = undefined;
    this.#lookForRests();
  }

  /** Checks that the machine goes on as if nobody had saved it. */
  #judgeMachine(end: string): void {
    const { state, memory } = this.#running;
    const { monitored, writtenTo } = memory.pages.counts;
    if (plain(state) !== plain(this.#wanted))
      this.faults.push(`after ${end} the machine is ${state} instead of ${this.#wanted}`);
    if (monitored + writtenTo > 0 || memory.monitor.user !== undefined)
      this.faults.push(`after ${end} ${monitored} pages are monitored, ${writtenTo} noted`);
    const [fault] = this.#running.selfCheck().faults;
    if (fault) this.faults.push(`after ${end} ${fault.what} ${fault.place} is ${fault.found}, not ${fault.expected}`);
  }

  #mayEnd(end: string): boolean {
    const { limits, fullAfterPass } = this.scenario;
    switch (end) {
      case 'saved':
      // A guest may write more than the disk takes.
      case 'too-many-passes':
        return true;
      case 'interrupted':
        return this.#had.has('cancel');
      case 'grew-too-big':
        return limits.bytes !== undefined;
      case 'low-on-disk-space':
        return fullAfterPass !== undefined;
      case 'machine-ended':
        return this.#had.has('power-off');
      case 'bad-machine-state':
        return plain(this.#began) !== 'running';
      default:
        return this.#had.has(end);
    }
  }

  #lookForRests(): void {
    for (const path of this.#process.files.openFiles) this.faults.push(`${path} is left open`);
    for (const path of this.host.files.names.keys()) if (path !== PATH) this.faults.push(`${path} is left behind`);
  }

  #switchOff(): void {
    const { state } = this.#running;
    try {
      if (state !== 'off') this.#running.stop();
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      this.faults.push(`the machine, which is ${state}, cannot be switched off`);
    }
  }

  /**
   * Writes another file after a kill or a crash: a program of savkit that writes into the folder removes all that was
   * left.
   */
  async #startAgain(): Promise<void> {
    if (!this.host.isUp) this.host.restart();
    const process = this.host.start();
    this.#process = process;
    // Nothing goes wrong any more.
    this.#isOver = true;
    this.#refusals.end();
    let isWritten = false;
    const other = '/machines/other.sav';
    const write = async () => {
      await writeFileSink(other, {}, (sink) => sink.write(Buffer.from('other')));
      await writeFileSink(PATH.replace('live', 'new'), {}, (sink) => sink.write(Buffer.from('new')));
      isWritten = true;
    };
    this.timeline.add(0, process, () => void write());
    await this.timeline.run(() => isWritten, 60_000);
    if (!isWritten) this.faults.push('nothing can be written after the end of a process');
  }

  diskFault(_host: SimulatedHost, work: DiskWork): string | undefined {
    this.#works++;
    for (const trouble of this.#left) if (isAfter(trouble.at, this.#works)) this.#causeSoon(trouble);
    const code = this.#refusals.refuse(work);
    if (code) this.#had.add(code);
    return code;
  }

  #causeSoon(trouble: SaveTrouble): void {
    this.#left.delete(trouble);
    this.timeline.add(0, undefined, () => this.#cause(trouble));
  }

  #cause(trouble: SaveTrouble): unknown {
    if (this.#isOver || this.#process.isGone) return undefined;
    this.log.push(`${this.timeline.now.toFixed(1)} ms: ${JSON.stringify(trouble)}`);
    switch (trouble.kind) {
      case 'disk':
        return this.#refusals.begin(trouble);
      case 'cancel':
        return this.timeline.add(0, this.#process, () => this.#cancel());
      case 'kill':
        return this.#process.end('killed');
      case 'crash':
        return this.host.crash();
      case 'user':
        return this.timeline.add(0, this.#process, () => this.#act(trouble.act));
    }
  }

  #cancel(): void {
    if (this.#abort) this.#had.add('cancel');
    this.#abort?.abort();
  }

  /** Carries out an act of a user, if the machine allows it. */
  #act(act: UserAct): void {
    if (!doAct(this.#running, act)) return;
    this.#had.add(act);
    this.#wanted = AFTER[act] ?? this.#wanted;
    if (act === 'debug') this.timeline.add(DEBUGS_MS, this.#process, () => this.#act('resume'));
  }
}

const AFTER: Partial<Record<UserAct, MachineState>> = {
  ...({ suspend: 'suspended', 'suspend-ext': 'suspended-ext', resume: 'running' } as const),
  ...({ debug: 'debugging', 'power-off': 'off' } as const),
};

/** The state, with both kinds of suspension as one: saving turns one into the other. */
function plain(state: MachineState): string {
  return state.replace('suspended-ext', 'suspended');
}

function isAfter(at: SaveTroubleTime, works: number): boolean {
  return 'afterWorks' in at && at.afterWorks <= works;
}
