import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { readRecord } from '../../migrations/hand-over/decision-record.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { askMachine } from '../control/control-client.ts';
import { SIDES, type Side } from './faults.ts';
import { isDead } from './processes.ts';

export interface Found {
  /** Side that has the machine in the end, and how that was found out. */
  survivor: string;
  how:
    | 'runs by itself'
    | 'runs when told'
    | 'starts again from the file it was saved to'
    | 'starts again from its state'
    | 'starts again from its safe file'
    | 'is not to be found';
  /** Reason why this is no good outcome; empty for a good one. */
  why: string;
}

/** The processes of a migration and their files, afterwards. */
export interface Scene {
  source: SavkitProcess;
  target: SavkitProcess;
  /** Path of the state that the machine was started from. */
  state: string;
  /** Steps that it had done when the migration began. */
  stepsBefore: number;
  path: (name: string) => string;
  record: (side: Side) => string | undefined;
}

const SOCKETS: Record<Side, string> = { source: 'vm.sock', target: 'arrived.sock' };
/** Milliseconds after which a second machine would have started, if there is one. */
const LOOK_AGAIN_MS = 700;
/** On a busy host the control socket of a machine that has come opens so much later than the source is told. */
const SOCKET_MS = 20_000;

/** Finds who has the machine as a user would: by what runs, by what was said, by what the records tell. */
export class Survivor {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async find(): Promise<Found> {
    const saved = await this.#saved();
    const running = await this.#judgeRunningSoon();
    if (running && saved)
      return { ...running, survivor: 'BOTH', why: `the ${saved} has saved it, and says that it may be started` };
    if (running) {
      await setTimeout(LOOK_AGAIN_MS);
      return (await this.#judgeRunning('runs by itself')) ?? { ...running, why: 'it ran, and then nobody did' };
    }
    if (saved) return this.#startAgain(saved, 'starts again from the file it was saved to', `${saved}.sav`);
    return this.#findByRecords();
  }

  async #findByRecords(): Promise<Found> {
    const { record, target, path } = this.#scene;
    const [own, other] = [record('source'), record('target')];
    if (!own) return this.#startAgain('source', 'starts again from its state');
    const peer = other ? ['--peer-record', other, ...(isDead(target) ? ['--peer-ended'] : [])] : [];
    const { result, error } = await new SavkitProcess('migrate', '--resolve', own, ...peer).ended;
    const survivor = SIDES.find((side) => side === result.survivor);
    if (survivor === undefined)
      return {
        survivor: String(result.survivor),
        how: 'is not to be found',
        why: `resolve says: ${result.because ?? error}`,
      };
    const told = await this.#awaitTold(survivor);
    if (told) return told;
    if (survivor === 'target') return this.#startAgain('target', 'starts again from its safe file', 'safe.sav');
    if (!isDead(this.#scene.source))
      return { survivor, how: 'is not to be found', why: 'the source lives, but does not run it' };
    // A source that nobody answered has saved it, to be started when the records say so.
    const isSaved = existsSync(path('source.sav'));
    return isSaved
      ? this.#startAgain('source', 'starts again from the file it was saved to', 'source.sav')
      : this.#startAgain('source', 'starts again from its state');
  }

  /** Waits until the process of the survivor has read in its record that it may run the machine. */
  async #awaitTold(survivor: Side): Promise<Found | undefined> {
    for (let i = 0; i < 40 && !isDead(this.#scene[survivor]); i++) {
      const told = await this.#judgeRunning('runs when told');
      if (told)
        return told.survivor === survivor
          ? told
          : { ...told, why: `the ${told.survivor} runs, though it is the ${survivor} that may` };
      await setTimeout(100);
    }
    return undefined;
  }

  /** Finds the side that was told to end, and has saved the machine for good. */
  async #saved(): Promise<Side | undefined> {
    for (const side of SIDES) {
      if (!isDead(this.#scene[side]) || !existsSync(this.#scene.path(`${side}.sav`))) continue;
      if ((await this.#scene[side].ended).result.undecided !== true) return side;
    }
    return undefined;
  }

  /** Waits for a target that lives, and has written down that it runs the machine, but has no socket yet. */
  async #judgeRunningSoon(): Promise<Found | undefined> {
    const { record, target, path } = this.#scene;
    for (const end = performance.now() + SOCKET_MS; ; await setTimeout(100)) {
      const running = await this.#judgeRunning('runs by itself');
      const own = record('target');
      const isAbout = !existsSync(path(SOCKETS.target)) && own && (await readRecord(own)).decision === 'started';
      if (running || !isAbout || isDead(target) || performance.now() > end) return running;
    }
  }

  /** @returns undefined when nobody runs it */
  async #judgeRunning(how: Found['how']): Promise<Found | undefined> {
    const [here, there] = await Promise.all(SIDES.map((side) => this.#isRunning(side)));
    if (here && there) return { survivor: 'BOTH', how, why: 'both sides run it' };
    if (!here && !there) return undefined;
    const survivor = here ? 'source' : 'target';
    return { survivor, how, why: this.#judgeCheck(await this.#ask(survivor, 'check'), await this.#stepsAtPause()) };
  }

  async #isRunning(side: Side): Promise<boolean> {
    if (isDead(this.#scene[side])) return false;
    const state = (await this.#ask(side, 'status'))?.state;
    return state !== undefined && state !== 'suspended' && state !== 'off';
  }

  /** Tells what the guest finds wrong with its memory, or with its steps; empty when all is well. */
  #judgeCheck(check: Record<string, unknown> | undefined, steps: number): string {
    if (!Array.isArray(check?.faults)) return 'it does not answer';
    if (check.faults.length > 0) return `its memory is not what it was: ${JSON.stringify(check.faults[0])}`;
    return Number(check.steps) >= steps ? '' : `${steps - Number(check.steps)} steps are lost`;
  }

  /** Steps that the source had done at least, when the machine left it. */
  async #stepsAtPause(): Promise<number> {
    const { source, stepsBefore } = this.#scene;
    if (!isDead(source)) return stepsBefore;
    return Number((await source.ended).result.steps ?? stepsBefore);
  }

  /**
   * @param file else the state from which the machine was started here: what it has done since is lost with its process
   */
  async #startAgain(survivor: Side, how: Found['how'], file?: string): Promise<Found> {
    const { path, state } = this.#scene;
    const again = new SavkitProcess(
      'run',
      file === undefined ? state : path(file),
      '--for',
      '0.1',
      '--socket',
      path('again.sock'),
    );
    const { result, error } = await again.ended;
    const why =
      error ||
      this.#judgeCheck(result.check as Record<string, unknown>, file === undefined ? 0 : await this.#stepsAtPause());
    return { survivor, how, why };
  }

  async #ask(side: Side, command: 'status' | 'check'): Promise<Record<string, unknown> | undefined> {
    const socket = this.#scene.path(SOCKETS[side]);
    if (!existsSync(socket)) return undefined;
    const answer = await askMachine(socket, { command }, () => {}, AbortSignal.timeout(20_000)).catch(() => undefined);
    return answer && { ...answer };
  }
}
