import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { VirtualBox } from '../../../testing/virtualbox.ts';
import type { Change } from './machine-changes.ts';

/** VirtualBox's answer to a state: a code, or `loads`; and the unit, `name` or `name/instance`, where it names one. */
export interface Answer {
  code: string;
  unit?: string;
  output: string;
}

/** A command of VirtualBox that has not ended by then is given up. */
const LIMIT_SECONDS = '90';
/** Time for which a guest runs before its machine is saved. */
const SOON = '0.3';

/** Properties that all machines of a park have in common. */
export interface ParkOptions {
  /** Beginning of the names of the machines. */
  prefix: string;
  /** System ROM in the chroot; absent for that of mkown.sh. */
  rom?: string;
}

/** Machines of the real VirtualBox, made when they are asked for, each saved once. Needs mkown.sh. */
export class MachinePark {
  readonly #virtualBox: VirtualBox;
  readonly #options: ParkOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), 'savkit-pairs-'));
  /** Settings by machine; absent for one that could not be made wholly. */
  readonly #settings = new Map<string, string>();
  readonly #made = new Set<string>();
  readonly #states = new Map<string, string>();

  constructor(virtualBox: VirtualBox, options: ParkOptions = { prefix: 'savkit-pair-' }) {
    this.#virtualBox = virtualBox;
    this.#options = options;
  }

  /** Text of the settings. @throws where VirtualBox does not make such a machine */
  async settings(name: string, changes: readonly Change[]): Promise<string> {
    const known = this.#settings.get(name);
    if (known !== undefined) return known;
    const machine = this.machine(name);
    await this.#makePlain(name, isEfi(changes));
    for (const change of joined(changes))
      await expectOk(this.#run('vb', ['VBoxManage', ...change.map((word) => word.replaceAll('@', machine))]));
    const { output } = await expectOk(this.#virtualBox.bash('cat "$MACHINES/$1/$1.vbox"', [machine]));
    this.#settings.set(name, output);
    return output;
  }

  /** Copies a machine that mkown.sh has made once, since making one takes dozens of commands. */
  async #makePlain(name: string, hasOwnFirmware: boolean): Promise<void> {
    const template = this.machine(TEMPLATE);
    if (!this.#made.has(TEMPLATE)) {
      await this.bash(REMOVE, [template]);
      await expectOk(this.#virtualBox.run('mkown.sh', [template, '3']));
      this.#made.add(TEMPLATE);
      const { rom } = this.#options;
      if (rom !== undefined) await expectOk(this.#run('vb', ['VBoxManage', 'setextradata', template, ROM_KEY, rom]));
    }
    await this.bash(REMOVE, [this.machine(name)]);
    this.#made.add(name);
    const left = hasOwnFirmware ? '/VBoxInternal.Devices.pcbios/d' : '';
    await expectOk(this.bash(COPY, [template, this.machine(name), randomUUID(), left]));
  }

  /**
   * A state of the machine, saved when its guest has run for so many seconds. @throws where VirtualBox does not start
   * it
   */
  async state(name: string, changes: readonly Change[], seconds = SOON): Promise<Buffer> {
    await this.settings(name, changes);
    const key = `${name} ${seconds}`;
    let path = this.#states.get(key);
    if (path === undefined) {
      path = join(this.#folder, `${key}.sav`);
      await expectOk(this.#run('start.sh', [this.machine(name), seconds]));
      await expectOk(this.bash(SAVE, [this.machine(name), path]));
      this.#states.set(key, path);
    }
    return readFileSync(path);
  }

  /** Its name in VirtualBox. */
  machine(name: string): string {
    return this.#options.prefix + name;
  }

  /** Runs bash with the functions of common.sh, but not for ever. */
  bash(script: string, args: readonly string[]) {
    return this.#virtualBox.bash(script, args, LIMIT_SECONDS);
  }

  /** @param path of a state @param into a machine that was made */
  async answer(path: string, into: string): Promise<Answer> {
    const { ok, output } = await this.#run('load-state.sh', [path, this.machine(into)]);
    return ok ? { code: 'loads', output } : MachinePark.refusal(output);
  }

  /** Reads the answer out of the words of load-state.sh. */
  static refusal(output: string): Answer {
    const code =
      /\((VERR_\w+)\)/.exec(output)?.[1] ??
      /rc=(VERR_\w+)/.exec(output)?.[1] ??
      /VERR_\w+/.exec(output)?.[0] ??
      `no code: ${output}`;
    const named =
      /^FAIL (?:VMSetError: )?([\w-]+)#(\d+):/.exec(output) ?? /unit '([^']+)' instance #(\d+)/.exec(output);
    const unit = named ? `${named[1]}/${named[2]}` : /load unit '([^']+)'/.exec(output)?.[1];
    return { code, output, unit };
  }

  /** Path for a file of the campaign, which may stand there until the end. */
  place(name: string): string {
    return join(this.#folder, name);
  }

  /** Removes a machine, which takes room on the disk. */
  async remove(name: string): Promise<void> {
    if (this.#made.delete(name)) await this.bash(REMOVE, [this.machine(name)]);
    this.#settings.delete(name);
    for (const key of [...this.#states.keys()]) if (key.startsWith(`${name} `)) this.#states.delete(key);
  }

  async close(): Promise<void> {
    for (const name of [...this.#made]) await this.remove(name);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #run(script: string, args: readonly string[]) {
    return this.#virtualBox.run(script, args, LIMIT_SECONDS);
  }
}

const ROM_KEY = 'VBoxInternal/Devices/pcbios/0/Config/BiosRom';

const SAVE = `
  manage controlvm "$1" pause >/dev/null; manage controlvm "$1" savestate >/dev/null || true
  for _ in $(seq 1 100); do case "$(vm_state "$1")" in saved|aborted-saved) break ;; esac; sleep 0.1; done
  cp "$(find "$MACHINES/$1/Snapshots" -name '*.sav' -printf '%T@ %p\\n' | sort -n | tail -1 | cut -d' ' -f2-)" "$2"
  manage discardstate "$1" >/dev/null`;

const TEMPLATE = 'template';

const COPY = `
  mkdir -p "$MACHINES/$2"; own="s/\\(<Machine uuid=\\"{\\)[^}]*/\\1$3/; s/ name=\\"$1\\"/ name=\\"$2\\"/"
  sed "$own; $4" "$MACHINES/$1/$1.vbox" > "$MACHINES/$2/$2.vbox"
  manage registervm "/vm/machines/$2/$2.vbox"`;

/** Ends the machine's process, where it has one still. */
const REMOVE = `
  vm_exists "$1" || exit 0
  manage controlvm "$1" poweroff >/dev/null 2>&1 || true
  for pid in $(pgrep -xf "VBoxHeadless --startvm $1( .*)?"); do wait_gone "$pid" 10 || kill -9 "$pid"; done
  make_idle "$1"; manage unregistervm "$1" --delete`;

/**
 * Whether a machine has EFI: there the template's extra data of the BIOS would make a second device, which does not
 * start.
 */
function isEfi(changes: readonly Change[]): boolean {
  return changes.some((change) => change.includes('efi64') || change.includes('efi32'));
}

/**
 * Joins changes that follow each other to one command, but none to that of the chipset, which decides how many network
 * cards there may be.
 */
function joined(changes: readonly Change[]): Change[] {
  return changes.reduce<Change[]>((all, change) => {
    const last = all.at(-1);
    if (last?.[0] === 'modifyvm' && change[0] === 'modifyvm' && !last.includes('--chipset'))
      last.push(...change.slice(2));
    else all.push([...change]);
    return all;
  }, []);
}

async function expectOk(run: Promise<{ ok: boolean; output: string }>): Promise<{ output: string }> {
  const result = await run;
  if (!result.ok) throw new Error(`Cannot make a machine: ${result.output}`);
  return result;
}
