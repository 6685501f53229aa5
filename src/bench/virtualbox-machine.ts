import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Holds mkvm.sh, start.sh, save.sh, tele.sh and vb, which runs a command of a VirtualBox installation. */
const scripts = process.env.SAVKIT_VIRTUALBOX ?? '';

/** Reason why there is no VirtualBox to measure; undefined if there is one. */
export function missingVirtualBox(): string | undefined {
  return existsSync(join(scripts, 'mkvm.sh')) && scripts !== ''
    ? undefined
    : 'SAVKIT_VIRTUALBOX names no folder with a VirtualBox';
}

export function runScript(script: string, ...args: string[]): string {
  return execFileSync(join(scripts, script), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** A machine of the real VirtualBox that is measured; no other program uses its name. */
export class VirtualBoxMachine {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  /** Makes the machine where it is not there. */
  create(ramMib: number): void {
    if (!runScript('vb', 'VBoxManage', 'list', 'vms').includes(`"${this.#name}"`))
      runScript('mkvm.sh', this.#name, String(ramMib), '1', 'piix3', 'long');
  }

  /** Lets it run for some seconds, and saves it to `prefix`.sav. */
  runAndSave(seconds: number, prefix: string): void {
    runScript('start.sh', this.#name, String(seconds));
    runScript('save.sh', this.#name, prefix);
  }

  /** Starts the machine, paused, from a copy of a state. @returns function that waits for the machine's end */
  async startFrom(state: string): Promise<() => Promise<void>> {
    await this.powerOff();
    // Discarding a state deletes its file.
    await attempt(() => runScript('vb', 'VBoxManage', 'discardstate', this.#name)).catch(() => {});
    const adopted = `/vm/load/${this.#name}.sav`;
    execFileSync(join(scripts, 'vb'), ['sh', '-c', `cat > ${adopted}`], {
      stdio: [openSync(state, 'r'), 'ignore', 'ignore'],
    });
    await attempt(() => runScript('vb', 'VBoxManage', 'adoptstate', this.#name, adopted));
    return this.#startPaused();
  }

  async control(...action: string[]): Promise<void> {
    await attempt(() => runScript('vb', 'VBoxManage', 'controlvm', this.#name, ...action));
  }

  /** Ends the machine, also one that an interrupted run has left. */
  async powerOff(): Promise<void> {
    if (['running', 'paused'].includes(this.#state() ?? '')) await this.control('poweroff');
  }

  /** Milliseconds between the last two lines of its log with these changes of state. */
  between(from: string, to: string): number {
    const log = runScript('vb', 'cat', this.#log);
    const timeOf = (what: string) => {
      const line = log.split('\n').findLast((line) => line.includes('Changing the VM state') && line.includes(what));
      const [, hours, minutes, seconds] = /^(\d+):(\d+):([\d.]+)/.exec(line ?? '') ?? [];
      return (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
    };
    return timeOf(to) - timeOf(from);
  }

  get #log(): string {
    return `/vm/machines/${this.#name}/Logs/VBox.log`;
  }

  /** undefined while VirtualBox does not tell: its service may be starting. */
  #state(): string | undefined {
    try {
      return /VMState="(.*)"/.exec(runScript('vb', 'VBoxManage', 'showvminfo', this.#name, '--machinereadable'))?.[1];
    } catch {
      return undefined;
    }
  }

  /** Starts the machine paused; tries again where it was still locked. */
  async #startPaused(): Promise<() => Promise<void>> {
    for (let left = 5; left > 0; left--) {
      let isGone = false;
      const machine = spawn(join(scripts, 'vb'), ['VBoxHeadless', '--startvm', this.#name, '--start-paused'], {
        stdio: 'ignore',
      });
      const gone = new Promise<void>((resolve) => machine.once('exit', () => resolve()));
      void gone.then(() => {
        isGone = true;
      });
      while (!isGone) {
        if (this.#state() === 'paused') return () => gone;
        await setTimeout(100);
      }
      if (!this.#state()?.endsWith('saved')) break;
      await setTimeout(1000);
    }
    throw new Error(`VirtualBox does not restore the state; its log: ${this.#log}`);
  }
}

/** Tries an action for a while, since VirtualBox keeps a machine locked for a moment after each change. */
async function attempt(action: () => void): Promise<void> {
  for (let left = 8; ; left--) {
    try {
      return action();
    } catch (error) {
      if (left === 0) throw error;
      await setTimeout(500);
    }
  }
}
