import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { statusOf } from '../../migrations/guests/guest-facts.ts';
import { type DecisionRecord, readRecord } from '../../migrations/hand-over/decision-record.ts';
import { QmpClient } from '../../migrations/qmp/qmp-client.ts';
import type { RealQemu } from '../../migrations/testing/real-qemu.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { memoryOf, whyWrong } from './bare-guest.ts';
import type { Side } from './faults.ts';
import { FrameProxy, type Strike } from './frame-proxy.ts';

export const QEMU_FAULTS = [
  'source savkit killed',
  'target savkit killed',
  'source qemu killed',
  'target qemu killed',
  'link, for a moment',
  'link, for ever',
  'source savkit stopped',
  'target savkit stopped',
  'source qemu stopped',
  'target qemu stopped',
] as const;
export type QemuFault = (typeof QEMU_FAULTS)[number];

export interface QemuOutcome {
  struck: boolean;
  /** Place where the guest runs in the end, and who had it do so; or that a QEMU took it along. */
  found: string;
  /** Reason why this is no good outcome; empty for a good one. */
  why: string;
  /** Decisions that were on record when the fault struck, and in the end. */
  records: string;
  frames: readonly string[];
  said: string;
}

/** Milliseconds for which a stopped process stands still. */
const STOPPED_MS = 3000;
/** Time within which sides that were cut off, and watchdogs, find out. */
const SETTLE_MS = 20_000;
const LOOK_MS = 250;
/** Milliseconds after which a second guest would have started, if there is one. */
const LOOK_AGAIN_MS = 1500;

/** One migration of a bare guest between two real QEMUs, with a fault in it; and what has become of the guest. */
export class QemuTrial {
  readonly #folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-faults-'));
  readonly #qemu: RealQemu;
  readonly #names: Record<Side, string>;
  readonly #options: readonly string[];
  #proxy!: FrameProxy;
  #savkit!: Record<Side, SavkitProcess>;
  #before: Buffer = Buffer.alloc(0);

  /** @param worker number of it among those that run at the same time @param options of start.sh */
  constructor(qemu: RealQemu, worker: number, options: readonly string[]) {
    this.#qemu = qemu;
    this.#names = { source: `fault-a${worker}`, target: `fault-b${worker}` };
    this.#options = options;
  }

  async run(fault?: QemuFault, strike?: Omit<Strike, 'act'>): Promise<QemuOutcome> {
    await this.#open();
    let [struck, records] = [false, ''];
    if (fault && strike)
      this.#proxy.strike = {
        ...strike,
        act: async () => {
          records = await this.#decisions();
          struck = await this.#inflict(fault);
        },
      };
    await Promise.race([this.#savkit.source.ended, setTimeout(SETTLE_MS * 2, undefined, { ref: false })]);
    const found = await this.#find(fault);
    const { result, error } = await Promise.race([
      this.#savkit.source.ended,
      Promise.resolve({ result: { because: 'it still waits' } as Record<string, unknown>, error: '' }),
    ]);
    const said = `${result.outcome ?? ''} ${result.stays ?? ''} ${result.because ?? error}`;
    return { struck, ...found, said, records: `${records} → ${await this.#decisions()}`, frames: this.#proxy.labels };
  }

  async close(): Promise<void> {
    const pid = (await this.#record('target'))?.guest?.pid;
    for (const side of ['source', 'target'] as const) this.#savkit?.[side].child.kill('SIGKILL');
    this.#proxy?.close();
    if (pid !== undefined) this.#qemu.adopt(this.#names.target, pid);
    await this.#qemu.stop(this.#names.source, this.#names.target);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #open(): Promise<void> {
    const { source, target } = this.#names;
    await this.#qemu.stop(source, target);
    await this.#qemu.start(source, this.#options);
    await setTimeout(1000);
    this.#before = memoryOf(this.#ram('source'));
    const args = join(this.#folder, 'args');
    writeFileSync(args, this.#qemu.commandLineFor(target, source));
    const receive = ['receive', '--listen', '127.0.0.1:0', '--insecure', '--qemu-args', args, '--keep-for', '3'];
    const arriving = new SavkitProcess(...receive, '--records', this.#path('target'));
    this.#proxy = await FrameProxy.open(await arriving.port(), true);
    const to = `127.0.0.1:${this.#proxy.port}`;
    const migrate = ['migrate', `qmp:${this.#qemu.qmpOf(source)}`, '--to', to, '--insecure', '--bandwidth', '2M'];
    const limits = ['--resume-within', '4', '--time-limit', '20', '--on-time-limit', 'force'];
    const departing = new SavkitProcess(...migrate, ...limits, '--records', this.#path('source'));
    this.#savkit = { source: departing, target: arriving };
  }

  /** @returns whether there was somebody to strike */
  async #inflict(fault: QemuFault): Promise<boolean> {
    if (fault.startsWith('link')) {
      this.#proxy.cut(fault === 'link, for ever');
      return true;
    }
    const [side, victim, what] = fault.split(' ') as [Side, 'savkit' | 'qemu', 'killed' | 'stopped'];
    const pid = victim === 'savkit' ? this.#savkit[side].child.pid : await this.#pidOf(side);
    if (pid === undefined) return false;
    process.kill(pid, what === 'killed' ? 'SIGKILL' : 'SIGSTOP');
    if (what === 'stopped') void setTimeout(STOPPED_MS).then(() => goOn(pid));
    return true;
  }

  async #find(fault: QemuFault | undefined): Promise<{ found: string; why: string }> {
    for (const end = performance.now() + SETTLE_MS; (await this.#running()).length === 0 && performance.now() < end; )
      await setTimeout(LOOK_MS);
    await setTimeout(LOOK_AGAIN_MS);
    let how = 'runs by itself';
    if ((await this.#running()).length === 0) how = await this.#resolve();
    const running = await this.#running();
    if (running.length > 1) return { found: 'BOTH', why: 'both run' };
    if (running.length === 1) return { found: `${running[0]} ${how}`, why: await this.#judge(running[0]) };
    const lost = /^(source|target) qemu killed$/.exec(fault ?? '')?.[1];
    if (lost === undefined) return { found: how, why: 'nobody runs it' };
    // Whoever has killed a QEMU has killed its guest, where the guest was there: the records have to say the same.
    const has = (await this.#decisions()).includes('started') ? 'target' : 'source';
    return { found: `ended with the QEMU of the ${lost}`, why: has === lost ? '' : `it should run at the ${has}` };
  }

  /** Runs `migrate --resolve` with the records of both sides, as a person would. @returns its output */
  async #resolve(): Promise<string> {
    const [own, peer] = [this.#recordPath('source'), this.#recordPath('target')];
    if (own === undefined) return 'no record';
    const words = ['migrate', '--resolve', own, ...(peer === undefined ? [] : ['--peer-record', peer])];
    const { result, error } = await new SavkitProcess(...words).ended;
    await setTimeout(LOOK_AGAIN_MS);
    return `runs when told (${result.survivor ?? 'nobody'}: ${result.because ?? error})`;
  }

  async #judge(side: Side): Promise<string> {
    const qmp = await QmpClient.connect(this.#qemu.secondQmpOf(this.#names[side]));
    await qmp.execute('stop');
    qmp.close();
    return whyWrong(memoryOf(this.#ram(side)), this.#before);
  }

  async #running(): Promise<Side[]> {
    const found: Side[] = [];
    for (const side of ['source', 'target'] as const) {
      const qmp = await QmpClient.connect(this.#qemu.secondQmpOf(this.#names[side])).catch(() => undefined);
      const status = qmp && (await statusOf(qmp).catch(() => undefined));
      qmp?.close();
      if (status === 'running') found.push(side);
    }
    return found;
  }

  async #pidOf(side: Side): Promise<number | undefined> {
    if (side === 'target') return (await this.#record('target'))?.guest?.pid;
    return Number(readFileSync(join(this.#qemu.state, 'run', this.#names.source, 'pid'), 'utf8'));
  }

  async #decisions(): Promise<string> {
    return `${(await this.#record('source'))?.decision ?? '-'}/${(await this.#record('target'))?.decision ?? '-'}`;
  }

  async #record(side: Side): Promise<DecisionRecord | undefined> {
    const path = this.#recordPath(side);
    return path === undefined ? undefined : readRecord(path).catch(() => undefined);
  }

  #recordPath(side: Side): string | undefined {
    try {
      const name = readdirSync(this.#path(side)).find((file) => file.endsWith(`.${side}.json`));
      return name && join(this.#path(side), name);
    } catch {
      return undefined;
    }
  }

  #ram(side: Side): string {
    return `/dev/shm/savkit-qemu-${this.#names[side]}.ram`;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function goOn(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // The process has ended meanwhile.
  }
}
