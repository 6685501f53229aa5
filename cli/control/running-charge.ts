import { dirname } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { writeFileSink } from '../../formats/files/sink.ts';
import { ensureFolder } from '../../migrations/hand-over/record-folder.ts';
import { plainSave } from '../../src/live-save/plain-save.ts';
import { isExecuting } from '../../src/machine/machine-states.ts';
import { saveState } from '../../src/machine/save.ts';
import type { Charge } from '../process/custody.ts';
import { line, NO_TEXT, type TerminalText } from '../terminal/terminal-text.ts';
import type { KeepFile } from './keep-file.ts';
import type { KeptMachine } from './kept-machine.ts';

/** Time within which a hand-over ends, unless it is stuck. */
const HAND_OVER_MS = 10_000;
const LOOK_MS = 20;

/** A machine that runs in this process, as `custody` sees it. */
export class RunningCharge implements Charge {
  readonly #kept: KeptMachine;
  readonly #file: KeepFile;
  /** Path of the machine's control socket, while the socket is open. */
  readonly #socket: () => string | undefined;
  readonly #cancelOperations: () => void;
  #hasEnded = false;

  constructor(
    kept: KeptMachine,
    options: { file: KeepFile; socket: () => string | undefined; cancelOperations: () => void },
  ) {
    this.#kept = kept;
    this.#file = options.file;
    this.#socket = options.socket;
    this.#cancelOperations = options.cancelOperations;
    void kept.running.ended.then(() => {
      this.#hasEnded = true;
    });
  }

  isHeld(): boolean {
    return !this.#hasEnded;
  }

  ways(): TerminalText {
    const socket = this.#socket();
    const reached =
      socket === undefined
        ? ''
        : line`; \`savkit live-save ${socket} FILE\` saves it while it runs, \`savkit control ${socket} stop\` ends it`;
    const ends = line`Another Ctrl-C, or SIGTERM, saves it to ${this.#file.path} and ends`;
    return line`${this.#kept.name} is in this process only (${process.pid})${reached}. ${ends}`;
  }

  /** Saves the machine. A save or migration under way is cancelled, or awaited if it can't be cancelled. */
  async save(): Promise<TerminalText> {
    this.#cancelOperations();
    const { running, name } = this.#kept;
    for (;;) {
      await this.#untilSettled();
      if (this.#hasEnded) return NO_TEXT;
      const isUndecided = running.isHeld;
      if (!(await this.#saveAsItStands())) continue;
      Object.assign(this.#kept, { savedTo: this.#file.path, isUndecided });
      if (!isUndecided) running.letGo();
      const run = line`savkit run ${this.#file.path}`;
      if (!isUndecided) return line`${name} is saved: \`${run}\` goes on from there`;
      const help = line`\`savkit migrate --resolve\` tells. Only if it is to run here: ${run}`;
      return line`${name} was handed over, and nobody can say yet whether it runs there: ${help}`;
    }
  }

  async #untilSettled(): Promise<void> {
    const { running } = this.#kept;
    const isBusy = () =>
      running.isHeld ||
      !(isExecuting(running.state) || running.state.startsWith('suspended')) ||
      running.state.endsWith('-ls');
    for (
      const end = performance.now() + HAND_OVER_MS;
      isBusy() && !this.#hasEnded && (!running.isHeld || performance.now() < end);
    )
      await setTimeout(LOOK_MS);
  }

  /** @returns false when the machine has gone on meanwhile, so that the file is out of date */
  async #saveAsItStands(): Promise<boolean> {
    const { running } = this.#kept;
    const { path, force } = this.#file;
    const wasHeld = running.isHeld;
    const ran = isExecuting(running.state);
    if (ran) running.pause();
    try {
      await ensureFolder(dirname(path));
      return await writeFileSink(path, { force }, async (sink) => {
        if (wasHeld) await saveState(running.machine, sink);
        else await plainSave(running, sink);
        if (running.isHeld !== wasHeld) throw new GoneOn();
        // Nobody may resume the machine while the file gets its name.
        running.hold();
        return true;
      });
    } catch (error) {
      if (error instanceof GoneOn) return false;
      if (!wasHeld) running.letGo();
      if (ran && running.state === 'suspended') running.resume();
      throw error;
    }
  }
}

/** The machine was started, or given up, while it was saved. */
class GoneOn extends Error {}
