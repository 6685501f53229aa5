import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readRecord } from '../../migrations/hand-over/decision-record.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { askMachine } from '../control/control-client.ts';
import { FrameProxy, type Strike } from './frame-proxy.ts';

export const FAULTS = ['link, for a moment', 'link, for ever', 'source killed', 'target killed'] as const;
export type Fault = (typeof FAULTS)[number];
/** A frame, or a time after the start, in ms. */
export type When = Omit<Strike, 'act'> | number;

export interface Outcome {
  /** The fault happened. */
  struck: boolean;
  /** What was written down at last. */
  source: string;
  target: string;
  /** Who has the machine in the end, and how that was found out. */
  survivor: string;
  how: 'runs by itself' | 'runs when told' | 'starts again from its state' | 'starts again from its safe file' | 'is not to be found';
  /** Why this is no good outcome; empty when it is one. */
  why: string;
  frames: readonly string[];
  ms: number;
}

/** Longest time until those who were cut off have found out by themselves. */
const SETTLE_MS = 5000;
const WHOLE_MS = 120_000;
type Found = Pick<Outcome, 'survivor' | 'how' | 'why'>;

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
    await this.#open();
    let struck = false;
    const start = performance.now();
    const migration = new SavkitProcess(...this.#migrateArguments());
    const ended = new Promise<void>((resolve) => {
      const act = async () => {
        struck = true;
        await this.#inflict(fault as Fault);
        // Whoever was only cut off for a moment goes on; the others are left alone for a while.
        if (fault !== 'link, for a moment') await setTimeout(SETTLE_MS, undefined, { ref: false });
        else await setTimeout(WHOLE_MS, undefined, { ref: false });
        resolve();
      };
      if (typeof when === 'number') void setTimeout(when, undefined, { ref: false }).then(act);
      else if (when) this.#proxy.strike = { ...when, act };
      migration.ended.then(() => resolve());
    });
    await Promise.race([ended, setTimeout(WHOLE_MS, undefined, { ref: false })]);
    const ms = performance.now() - start;
    const found = await this.#find();
    migration.child.kill('SIGKILL');
    const [source, target] = [await this.#decision('s'), await this.#decision('t')];
    return { struck, source, target, ...found, frames: this.#proxy.labels, ms };
  }

  close(): void {
    for (const { child } of [this.#source, this.#target]) child.kill('SIGKILL');
    this.#proxy.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }

  #migrateArguments(): string[] {
    const limits = ['--resume-within', '2', '--time-limit', '20', '--on-time-limit', 'force', ...this.#more];
    return ['migrate', this.#path('vm.sock'), '--to', `127.0.0.1:${this.#proxy.port}`, '--insecure', '--records', this.#path('s'), ...limits];
  }

  async #open(): Promise<void> {
    this.#source = new SavkitProcess('run', this.#state, '--socket', this.#path('vm.sock'));
    const files = ['--records', this.#path('t'), '--safe', this.#path('safe.sav'), '--control', this.#path('arrived.sock')];
    this.#target = new SavkitProcess('receive', '--listen', '127.0.0.1:0', '--insecure', '--keep-for', '2', ...files);
    this.#proxy = await FrameProxy.open(await this.#target.port(), this.#seesFrames);
    await this.#source.event('running');
    this.#stepsBefore = Number((await this.#ask('vm.sock', 'status'))?.steps);
  }

  async #inflict(fault: Fault): Promise<void> {
    if (fault === 'link, for a moment' || fault === 'link, for ever') return this.#proxy.cut(fault === 'link, for ever');
    const victim = fault === 'source killed' ? this.#source : this.#target;
    victim.child.kill('SIGKILL');
    await victim.ended;
  }

  /** Where the machine runs; where nobody runs it, who is to, as the records tell a user. */
  async #find(): Promise<Found> {
    const running = await this.#judgeRunning('runs by itself');
    if (running) return running;
    const source = this.#record('s');
    if (!source) return this.#startAgain('source', 'starts again from its state');
    const target = this.#record('t');
    const peer = target ? ['--peer-record', target, ...(isDead(this.#target) ? ['--peer-ended'] : [])] : [];
    const { result, error } = await new SavkitProcess('migrate', '--resolve', source, ...peer).ended;
    const survivor = String(result.survivor);
    if (survivor !== 'source' && survivor !== 'target') return { survivor, how: 'is not to be found', why: `resolve says: ${result.because ?? error}` };
    const side = survivor === 'source' ? this.#source : this.#target;
    for (let i = 0; i < 40 && !isDead(side); i++) {
      const told = await this.#judgeRunning('runs when told');
      if (told) return told.survivor === survivor ? told : { ...told, why: `the ${told.survivor} runs, though it is the ${survivor} that may` };
      await setTimeout(100);
    }
    if (survivor === 'source' && !isDead(side)) return { survivor, how: 'is not to be found', why: 'the source lives, but does not run it' };
    return this.#startAgain(survivor, survivor === 'source' ? 'starts again from its state' : 'starts again from its safe file');
  }

  /** @returns undefined when nobody runs it */
  async #judgeRunning(how: Found['how']): Promise<Found | undefined> {
    const [here, there] = await Promise.all([this.#isRunning('vm.sock', this.#source), this.#isRunning('arrived.sock', this.#target)]);
    if (here && there) return { survivor: 'BOTH', how, why: 'both sides run it' };
    if (!here && !there) return undefined;
    return { survivor: here ? 'source' : 'target', how, why: await this.#faultOf(here ? 'vm.sock' : 'arrived.sock') };
  }

  async #isRunning(socket: string, { child }: SavkitProcess): Promise<boolean> {
    if (child.exitCode !== null || child.signalCode !== null) return false;
    const state = (await this.#ask(socket, 'status'))?.state;
    return state !== undefined && state !== 'suspended' && state !== 'off';
  }

  /** What the guest finds wrong with its memory, or with its steps; empty when all is well. */
  async #faultOf(socket: string): Promise<string> {
    const check = await this.#ask(socket, 'check');
    return this.#judgeCheck(check, await this.#stepsAtPause());
  }

  #judgeCheck(check: Record<string, unknown> | undefined, steps: number): string {
    if (!Array.isArray(check?.faults)) return 'it does not answer';
    if (check.faults.length > 0) return `its memory is not what it was: ${JSON.stringify(check.faults[0])}`;
    return Number(check.steps) >= steps ? '' : `${steps - Number(check.steps)} steps are lost`;
  }

  /** Steps that the source had done at least, when the machine left it. */
  async #stepsAtPause(): Promise<number> {
    if (!isDead(this.#source)) return this.#stepsBefore;
    const { result } = await this.#source.ended;
    return Number(result.steps ?? this.#stepsBefore);
  }

  async #startAgain(survivor: string, how: Found['how']): Promise<Found> {
    const isOwn = survivor === 'source';
    const again = new SavkitProcess('run', isOwn ? this.#state : this.#path('safe.sav'), '--for', '0.1', '--socket', this.#path('again.sock'));
    const { result, error } = await again.ended;
    const why = error || this.#judgeCheck(result.check as Record<string, unknown>, isOwn ? 0 : await this.#stepsAtPause());
    return { survivor, how, why };
  }

  async #ask(socket: string, command: 'status' | 'check'): Promise<Record<string, unknown> | undefined> {
    if (!existsSync(this.#path(socket))) return undefined;
    return askMachine(this.#path(socket), { command }, () => {}, AbortSignal.timeout(20_000)).catch(() => undefined);
  }

  #record(side: 's' | 't'): string | undefined {
    const folder = this.#path(side);
    const name = existsSync(folder) ? readdirSync(folder).find((file) => file.endsWith('.json')) : undefined;
    return name && join(folder, name);
  }

  async #decision(side: 's' | 't'): Promise<string> {
    const path = this.#record(side);
    return path ? (await readRecord(path)).decision : 'no record';
  }
}

function isDead({ child }: SavkitProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
