import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readRecord } from '../../migrations/hand-over/decision-record.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { askMachine } from '../control/control-client.ts';
import { befall, type Fault, isHarmless, type Side, victimOf } from './faults.ts';
import { FrameProxy, type Strike } from './frame-proxy.ts';
import { isDead } from './processes.ts';
import { type Found, Survivor } from './survivor.ts';
import { TerminalProcess } from './terminal-process.ts';

/** A frame, or a number of bytes that have come from the source. */
export type When = Omit<Strike, 'act'> | number;

export interface Outcome extends Found {
  /** The fault happened. */
  struck: boolean;
  /** It happened before the source had decided to hand the machine over. */
  beforeHandOver: boolean;
  /** The last decision that the source has written down. */
  source: string;
  target: string;
  frames: readonly string[];
  /** Bytes from the source in all. */
  bytes: number;
  /** Steps that the machine has done from its start to the fault: it writes memory meanwhile. */
  stepsMeanwhile: number;
  /** Reason why the machine is not at the target, in the words of `migrate`. */
  said: string;
}

/** Longest time until sides that were cut off have noticed it by themselves. */
const SETTLE_MS = 5000;
const WHOLE_MS = 120_000;

/** One migration of a machine between two processes, with a fault in it; and what has become of the machine. */
export class MigrationTrial {
  readonly #folder = mkdtempSync(join(tmpdir(), 'savkit-faults-'));
  readonly #state: string;
  readonly #seesFrames: boolean;
  readonly #more: readonly string[];
  #source!: SavkitProcess;
  #target!: SavkitProcess;
  #proxy!: FrameProxy;
  #stepsBefore = 0;

  /**
   * @param state saved, with a workload under way
   * @param seesFrames for faults at frames; without, the way between the processes is faster
   * @param more options of `savkit migrate`
   */
  constructor(state: string, seesFrames: boolean, more: readonly string[]) {
    this.#state = state;
    this.#more = more;
    this.#seesFrames = seesFrames;
  }

  async run(fault?: Fault, when?: When): Promise<Outcome> {
    await this.#open(fault);
    const blow = { struck: false, beforeHandOver: false, stepsMeanwhile: 0 };
    const migration = new SavkitProcess(...this.#migrateArguments());
    await new Promise<void>((resolve) => {
      const act = async () => {
        blow.struck = true;
        blow.stepsMeanwhile = (await this.#steps()) - this.#stepsBefore;
        blow.beforeHandOver = ['no record', 'migrating'].includes(await this.#decision('source'));
        await this.#inflict(fault as Fault);
        // Where nothing is lost the migration goes on to its end; else those who are cut off are left alone for a
        // while.
        await setTimeout(isHarmless(fault as Fault) ? WHOLE_MS : SETTLE_MS, undefined, { ref: false });
        resolve();
      };
      if (typeof when === 'number') this.#proxy.atBytes = [{ bytes: when, act: () => void act() }];
      else if (when) this.#proxy.strike = { ...when, act };
      void migration.ended.then(() => resolve());
      void setTimeout(WHOLE_MS, undefined, { ref: false }).then(() => resolve());
    });
    if (fault?.endsWith('SIGTERM')) await this.#untilEnded(victimOf(fault) as Side);
    const survivor = new Survivor({
      ...{ source: this.#source, target: this.#target, state: this.#state, stepsBefore: this.#stepsBefore },
      ...{ path: (name: string) => this.#path(name), record: (side: Side) => this.#record(side) },
    });
    const found = await survivor.find();
    migration.child.kill('SIGKILL');
    const { result, error } = await migration.ended;
    const said = String(result.because ?? error);
    const [source, target] = [await this.#decision('source'), await this.#decision('target')];
    return { ...blow, said, source, target, ...found, frames: this.#proxy.labels, bytes: this.#proxy.forth };
  }

  close(): void {
    for (const side of [this.#source, this.#target]) {
      if (!isDead(side)) process.kill(side.pid, 'SIGKILL');
      side.child.kill('SIGKILL');
    }
    this.#proxy.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #migrateArguments(): string[] {
    const limits = ['--resume-within', '2', '--time-limit', '20', '--on-time-limit', 'force', ...this.#more];
    return [
      'migrate',
      this.#path('vm.sock'),
      '--to',
      `127.0.0.1:${this.#proxy.port}`,
      '--insecure',
      '--records',
      this.#path('source'),
      ...limits,
    ];
  }

  async #open(fault?: Fault): Promise<void> {
    const start = (side: Side, ...args: string[]) =>
      fault === `${side} terminal closed` ? new TerminalProcess(...args) : new SavkitProcess(...args);
    this.#source = start(
      'source',
      'run',
      this.#state,
      '--socket',
      this.#path('vm.sock'),
      '--keep-in',
      this.#path('source.sav'),
    );
    const files = [
      '--records',
      this.#path('target'),
      '--safe',
      this.#path('safe.sav'),
      '--control',
      this.#path('arrived.sock'),
    ];
    const target = [
      'receive',
      '--listen',
      '127.0.0.1:0',
      '--insecure',
      '--keep-for',
      '2',
      '--keep-in',
      this.#path('target.sav'),
      ...files,
    ];
    this.#target = start('target', ...target);
    this.#proxy = await FrameProxy.open(await this.#target.port(), this.#seesFrames);
    await this.#source.event('running');
    this.#stepsBefore = await this.#steps();
  }

  /** Steps that the machine has done at the source. */
  async #steps(): Promise<number> {
    return Number(
      (await askMachine(this.#path('vm.sock'), { command: 'status' }, () => {}, AbortSignal.timeout(20_000))).steps,
    );
  }

  async #inflict(fault: Fault): Promise<void> {
    const side = victimOf(fault);
    if (side === undefined) this.#proxy.cut(fault === 'link, for ever');
    else await befall(side === 'source' ? this.#source : this.#target, fault);
  }

  /**
   * Waits for the end of a process, but not for ever: one that has to save its machine takes its time, and one whose
   * machine is promised stays.
   */
  async #untilEnded(side: Side): Promise<void> {
    const victim = side === 'source' ? this.#source : this.#target;
    for (const end = performance.now() + 3 * SETTLE_MS; !isDead(victim) && performance.now() < end; )
      await setTimeout(100);
  }

  #record(side: Side): string | undefined {
    const folder = this.#path(side);
    const name = existsSync(folder) ? readdirSync(folder).find((file) => file.endsWith(`.${side}.json`)) : undefined;
    return name && join(folder, name);
  }

  async #decision(side: Side): Promise<string> {
    const path = this.#record(side);
    return path ? (await readRecord(path)).decision : 'no record';
  }
}
