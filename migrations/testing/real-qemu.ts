import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Folder of the scripts when the environment does not name one. */
const DEFAULT_FOLDER = '../shared/qemu';
const LIMIT_S = '300';

/**
 * Real QEMUs, 7 and 10, with guests that check their own memory, driven by scripts in a folder: SAVKIT_QEMU, or
 * `../shared/qemu`. SAVKIT_QEMU_DIR is the state directory that setup.sh has filled.
 */
export class RealQemu {
  readonly folder: string;
  readonly state: string;

  /** Ends the process with 2, and says why, where QEMU is not set up: nothing was tried then. */
  static find(): RealQemu {
    const folder = resolve(process.env.SAVKIT_QEMU ?? DEFAULT_FOLDER);
    const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
    const state = process.env.SAVKIT_QEMU_DIR ?? join(cache, 'savkit-qemu');
    if (existsSync(join(folder, 'start.sh')) && existsSync(join(state, '.installed')))
      return new RealQemu(folder, state);
    console.error('QEMU is not set up, so nothing was tried.');
    console.error(
      'Let SAVKIT_QEMU name the folder of its scripts, run setup.sh there, and let SAVKIT_QEMU_DIR name its folder.',
    );
    process.exit(2);
  }

  private constructor(folder: string, state: string) {
    this.folder = folder;
    this.state = state;
  }

  /** Runs a script of the folder to its end. */
  run(script: string, args: readonly string[]): Promise<{ ok: boolean; output: string }> {
    return new Promise((done) => {
      const env = { ...process.env, SAVKIT_QEMU_DIR: this.state };
      const words = ['-k', '5', LIMIT_S, join(this.folder, script), ...args];
      const child = spawn('timeout', words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      child.stdout.on('data', (text) => {
        output += text;
      });
      child.stderr.on('data', (text) => {
        output += text;
      });
      child.once('close', (code) => done({ ok: code === 0, output }));
    });
  }

  /** Starts a guest. @throws Error with what the script says */
  async start(name: string, options: readonly string[]): Promise<void> {
    const { ok, output } = await this.run('start.sh', [name, ...options]);
    if (!ok) throw new Error(`Guest ${name} does not start: ${output}`);
  }

  stop(...names: string[]): Promise<{ ok: boolean; output: string }> {
    return this.run('stop.sh', names);
  }

  qmpOf(name: string): string {
    return join(this.state, 'run', name, 'qmp');
  }

  /** The other socket, for a test that looks on. */
  secondQmpOf(name: string): string {
    return join(this.state, 'run', name, 'qmp2');
  }

  serialLogOf(name: string): string {
    return join(this.state, 'run', name, 'serial.log');
  }

  /**
   * Makes the folder of a target that takes a guest over, and gives the command line of its QEMU.
   * @param qemu version of the target's QEMU, if it is another one
   */
  commandLineFor(target: string, source: string, qemu?: 7 | 10): string {
    const folder = join(this.state, 'run', target);
    rmSync(folder, { recursive: true, force: true });
    rmSync(`/dev/shm/savkit-qemu-${target}.ram`, { force: true });
    mkdirSync(folder, { recursive: true });
    const line = readFileSync(join(this.state, 'run', source, 'args'), 'utf8')
      .replaceAll(`run/${source}/`, `run/${target}/`)
      .replaceAll(`savkit-qemu-${source}.ram`, `savkit-qemu-${target}.ram`)
      .replace(`-name ${source} `, `-name ${target} `);
    const changed = qemu === 10 ? line.replace(/^\S+/, qemu10In(this.state)) : line;
    writeFileSync(join(folder, 'args'), changed);
    return changed;
  }

  /** A QEMU, with the folders of its data. */
  programOf(version: 7 | 10): string {
    return version === 10 ? qemu10In(this.state) : '/usr/bin/qemu-system-x86_64';
  }

  /** Lets the scripts know of a guest that somebody else has started. */
  adopt(name: string, pid: number): void {
    writeFileSync(join(this.state, 'run', name, 'pid'), `${pid}\n`);
  }
}

function qemu10In(state: string): string {
  const share = join(state, 'q10/usr/share');
  return `${join(state, 'q10/usr/bin/qemu-system-x86_64')} -L ${share}/qemu -L ${share}/seabios`;
}
