import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { STATES_FOLDER, samplesIn } from './states.ts';

/** Folder of the scripts when the environment does not name one. */
const DEFAULT_FOLDER = '../shared/virtualbox';

/** Result of a script. */
export interface ScriptRun {
  ok: boolean;
  output: string;
}

/**
 * A real VirtualBox 7.2 in a chroot, driven by scripts in a folder: SAVKIT_VIRTUALBOX, or `../shared/virtualbox`. They
 * are load-state.sh (STATE MACHINE --core FILE), corecmp.py (A B), mkvm.sh, start.sh, guest/build.sh, vb (any command
 * inside) and common.sh.
 */
export class VirtualBox {
  readonly folder: string;

  /** Ends the process with 2, and says why, where VirtualBox is not set up: nothing was tried then. */
  static async find(): Promise<VirtualBox> {
    const folder = resolve(process.env.SAVKIT_VIRTUALBOX ?? DEFAULT_FOLDER);
    const missing = ['load-state.sh', 'common.sh', 'vb'].find((script) => !existsSync(join(folder, script)));
    const virtualBox = new VirtualBox(folder);
    const status = missing
      ? { ok: false, output: `${join(folder, missing)} is not there` }
      : await virtualBox.run('vb', ['VBoxManage', '--version']);
    if (status.ok) return virtualBox;
    console.error(`VirtualBox is not set up, so nothing was tried: ${status.output.trim()}`);
    console.error('Let SAVKIT_VIRTUALBOX name the folder of its scripts, and run setup.sh there.');
    process.exit(2);
  }

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Runs a script of the folder to its end; given up after so many seconds. */
  run(script: string, args: readonly string[], limit = '3600'): Promise<ScriptRun> {
    return this.#withService(['-k', '5', limit, join(this.folder, script), ...args]);
  }

  /** Runs bash with the functions of common.sh; given up after so many seconds. */
  bash(script: string, args: readonly string[] = [], limit = '3600'): Promise<ScriptRun> {
    return this.#withService([
      '-k',
      '5',
      limit,
      'bash',
      '-c',
      `set -euo pipefail; . "$0"; ready; ${script}`,
      join(this.folder, 'common.sh'),
      ...args,
    ]);
  }

  /** Runs a script; where VBoxSVC has crashed, a VBoxSVC that VBoxManage has started is ended before. */
  async #withService(args: readonly string[]): Promise<ScriptRun> {
    const result = await runProgram('timeout', args);
    if (result.ok || !result.output.includes('VBoxSVC does not start')) return result;
    await runProgram('bash', ['-c', END_STRAY_SERVICE, join(this.folder, 'common.sh')]);
    return runProgram('timeout', args);
  }
}

const END_STRAY_SERVICE = `
  . "$0"; for pid in $(inside); do
    grep -q 'VBoxSVC.--auto-shutdown' "/proc/$pid/cmdline" && kill "$pid" && wait_gone "$pid" 10
  done`;

/** The machines that the bundled states were saved from. */
const MACHINES: Readonly<Record<string, string>> = {
  'own-prot32': 'own1',
  'own-pae': 'own2',
  'own-long': 'own3',
  'own-long-live': 'own3',
};

/** A bundled state's machine. */
export function machineOfBundled(state: string): string {
  return MACHINES[state.replace(/\.sav$/, '')];
}

/**
 * States, each with the machine that can load it: the bundled ones, and FILE:MACHINE of SAVKIT_VIRTUALBOX_STATES,
 * separated by commas.
 */
export function statesWithMachines(): { path: string; machine: string }[] {
  const bundled = samplesIn(STATES_FOLDER).map(({ name, path }) => ({ path, machine: machineOfBundled(name) }));
  const further = process.env.SAVKIT_VIRTUALBOX_STATES?.split(',').map((entry) => entry.split(':')) ?? [];
  return [...bundled, ...further.map(([path, machine]) => ({ path, machine }))];
}

/** Runs a program to its end. */
export function runProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<ScriptRun> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const take = (chunk: Buffer) => {
      output += chunk;
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.on('error', (error) => resolve({ ok: false, output: error.message }));
    child.on('close', (code) => resolve({ ok: code === 0, output }));
  });
}

/**
 * Counts the checks of a campaign that passed and failed, prints them, and sets the exit code. With SAVKIT_JOURNAL=FILE
 * a campaign that was stopped goes on: parts that passed stand in that file, and are not tried again.
 */
export class Score {
  #passed = 0;
  #failed = 0;
  #passedBefore = 0;
  readonly #journal = process.env.SAVKIT_JOURNAL;
  /** How many checks passed in each part of earlier runs. */
  readonly #parts = new Map<string, number>();

  constructor() {
    if (this.#journal === undefined || !existsSync(this.#journal)) return;
    for (const line of readFileSync(this.#journal, 'utf8').split('\n')) {
      const [name, passed] = line.split('\t');
      if (passed !== undefined) this.#parts.set(name, Number(passed));
    }
  }

  check(what: string, ok: boolean, details = ''): boolean {
    if (ok) this.#passed++;
    else this.#failed++;
    console.log(`${ok ? 'ok' : 'FAILED'}: ${what}${ok || details === '' ? '' : `: ${details}`}`);
    return ok;
  }

  /** Runs a part of the campaign, unless it passed in an earlier run. @param name no other part has it */
  async part(name: string, run: () => Promise<void>): Promise<void> {
    const before = this.#parts.get(name);
    if (before !== undefined) {
      this.#passedBefore += before;
      return;
    }
    const [passed, failed] = [this.#passed, this.#failed];
    await run();
    if (this.#journal !== undefined && this.#failed === failed && this.#passed > passed)
      appendFileSync(this.#journal, `${name}\t${this.#passed - passed}\n`);
  }

  close(): void {
    const before = this.#passedBefore === 0 ? '' : ` and ${this.#passedBefore} in earlier runs`;
    console.log(`${this.#passed} passed${before}, ${this.#failed} failed`);
    process.exitCode = this.#failed > 0 || this.#passed + this.#passedBefore === 0 ? 1 : 0;
  }
}
