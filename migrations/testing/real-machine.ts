import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram, type ScriptRun, type VirtualBox } from '../../src/testing/virtualbox.ts';

/** Filling a GiB takes an interpreted guest minutes. */
const FILL_MS = 15 * 60_000;

/** A machine in the real VirtualBox whose guest fills its memory with patterns and then counts. */
export class RealMachine {
  readonly name: string;
  readonly #virtualBox: VirtualBox;

  /** A machine of so many MiB; made when there is none of that name. */
  static make(virtualBox: VirtualBox, name: string, mebibytes: number): Promise<RealMachine> {
    return RealMachine.#make(virtualBox, name, async (machine) => {
      const image = `savkit-fill${mebibytes}`;
      const fill = mebibytes > 16 ? [`-DFILLTO=${mebibytes}`] : [];
      await machine.#must(virtualBox.run('guest/build.sh', [image, '-DMODE=3', '-DDIRTY=16', ...fill]));
      await machine.#must(virtualBox.run('mkvm.sh', [name, String(mebibytes), '1', 'piix3', image]));
    });
  }

  /** A machine that the bundled state own-long fits. */
  static makeOwn(virtualBox: VirtualBox, name: string): Promise<RealMachine> {
    return RealMachine.#make(virtualBox, name, (machine) => machine.#must(virtualBox.run('mkown.sh', [name, '3'])));
  }

  static async #make(
    virtualBox: VirtualBox,
    name: string,
    create: (machine: RealMachine) => Promise<void>,
  ): Promise<RealMachine> {
    const machine = new RealMachine(virtualBox, name);
    const { output } = await virtualBox.bash('vm_exists "$1" && echo yes || true', [name]);
    if (!output.includes('yes')) await create(machine);
    await machine.stop();
    return machine;
  }

  private constructor(virtualBox: VirtualBox, name: string) {
    this.#virtualBox = virtualBox;
    this.name = name;
  }

  /** Runs from power-on until the guest's memory is full and it counts. */
  async start(): Promise<void> {
    await this.#must(this.#virtualBox.run('start.sh', [this.name, '1']));
    const deadline = performance.now() + FILL_MS;
    while ((await this.counter()) === undefined) {
      if (performance.now() > deadline) throw new Error(`the guest of ${this.name} does not count`);
      await sleep(1000);
    }
  }

  /** The number that the guest has counted to, from its text screen; undefined while it does not count. */
  async counter(): Promise<number | undefined> {
    const { output } = await this.#manage('debugvm', this.name, 'info', 'vgatext');
    const match = /^([0-9A-F]{8})\s*$/m.exec(output);
    return match ? Number.parseInt(match[1], 16) : undefined;
  }

  /** Whether the guest counts on within some seconds, from a number on. */
  async counts(from = -1): Promise<boolean> {
    const first = await this.counter();
    for (let attempt = 0; attempt < 20; attempt++) {
      await sleep(250);
      const next = await this.counter();
      if (first !== undefined && next !== undefined && next > first && next > from) return true;
    }
    return false;
  }

  async state(): Promise<string> {
    return (await this.#virtualBox.bash('vm_state "$1"', [this.name])).output.trim();
  }

  /** Whether the machine gets into one of some states within some seconds. */
  async becomes(...states: string[]): Promise<boolean> {
    for (let attempt = 0; attempt < 40; attempt++) {
      if (states.includes(await this.state())) return true;
      await sleep(250);
    }
    return false;
  }

  pause(): Promise<ScriptRun> {
    return this.#manage('controlvm', this.name, 'pause');
  }

  resume(): Promise<ScriptRun> {
    return this.#manage('controlvm', this.name, 'resume');
  }

  /** Teleports the running machine. @returns VirtualBox's words and the seconds that it took */
  async teleport(port: number, password = 'x'): Promise<ScriptRun & { seconds: number }> {
    const start = performance.now();
    const to = ['--host', '127.0.0.1', '--port', String(port), '--maxdowntime', '250', '--password', password];
    const run = await this.#manage('controlvm', this.name, 'teleport', ...to);
    return { ...run, seconds: (performance.now() - start) / 1000 };
  }

  /** Lets the machine, which is off, wait for a teleported one. The password is x. */
  async awaitMachine(port: number): Promise<void> {
    const script = `make_idle "$1"
      manage modifyvm "$1" --teleporter on --teleporterport "$2" --teleporteraddress 127.0.0.1 --teleporterpassword x
      launch_until "$1" "$LOGS/$1.out" teleportingin; wait_listen "$2" "$VM_PID"; echo "$VM_PID" >"$RUN/$1.pid"`;
    await this.#must(this.#virtualBox.bash(script, [this.name, String(port)]));
  }

  /** Dumps memory and registers of the machine. */
  async dump(path: string): Promise<void> {
    const script = 'vb VBoxManage debugvm "$1" dumpvmcore --filename="/vm/load/$1.elf"; mv "$ROOT/vm/load/$1.elf" "$2"';
    await this.#must(this.#virtualBox.bash(script, [this.name, path]));
  }

  /** Powers the machine off, whatever it does; one that waits for a machine heeds nothing but a kill. */
  async stop(): Promise<void> {
    const script = `if [ "$(vm_state "$1")" = teleportingin ] && [ -s "$RUN/$1.pid" ]; then kill -9 "$(cat "$RUN/$1.pid")"; sleep 1; fi
      vb VBoxManage controlvm "$1" poweroff >/dev/null 2>&1 || true`;
    await this.#virtualBox.bash(script, [this.name]);
    await this.becomes('poweroff', 'teleported', 'aborted', 'saved', 'aborted-saved');
  }

  #manage(...args: string[]): Promise<ScriptRun> {
    return runProgram(join(this.#virtualBox.folder, 'vb'), ['VBoxManage', ...args]);
  }

  async #must(run: Promise<ScriptRun>): Promise<void> {
    const { ok, output } = await run;
    if (!ok) throw new Error(`${this.name}: ${output}`);
  }
}
