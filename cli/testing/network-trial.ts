import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Forecast } from '../../migrations/policy/forecast.ts';
import type { MigrationReport } from '../../migrations/report.ts';
import { newPairingCode } from '../../migrations/trust/pairing-code.ts';
import { NetworkHost, type SavkitCommand } from './network-host.ts';
import { LINKS, type ShapedLink } from './shaped-link.ts';

const PORT = { source: 17001, target: 17002 } as const;
/** How long a machine runs before it leaves, and where it has come. */
const RUN_MS = 1000;
/** What a dry run is told of the loopback interface. */
const LOOPBACK_RATE = 400e6;

/** So slow that there is time for a pause and a save. */
const SLOW = '1M';
const UNLIMITED = '100G';

export interface TrialOptions {
  /** A state with full memory to start from. */
  state: string;
  /** Of `savkit run`. */
  workload: readonly string[];
  /** Of `savkit migrate`. */
  migrate: readonly string[];
}

interface Status {
  steps: number;
  ticks: number;
  faults: number;
  state: string;
  throttle: number;
  figures: { steps: number; ticks: number };
}

export interface TrialResult {
  forecast: Forecast;
  report: MigrationReport;
  /** Time slices and steps that were had twice, or not at all. */
  lostTicks: number;
  lostSteps: number;
  faults: number;
  /** Of the way back: whether both sides, standing still, would be saved to the very same file. */
  identical: boolean | undefined;
}

/** A machine that runs on one side of a link, goes to the other one while it runs, and comes back. */
export class Trial {
  readonly #folder: string;
  readonly #link: ShapedLink;
  readonly #options: TrialOptions;
  readonly #source: NetworkHost;
  readonly #target: NetworkHost;

  constructor(folder: string, link: ShapedLink, options: TrialOptions) {
    this.#folder = mkdtempSync(join(folder, 'trial-'));
    this.#link = link;
    this.#options = options;
    const env = { SAVKIT_PAIRING_CODE: newPairingCode() };
    this.#source = new NetworkHost(link, 'source', env);
    this.#target = new NetworkHost(link, 'target', env);
  }

  /** There, and with `andBack` back again: paused in the midst of it, so that both sides can be compared. */
  async run(andBack: boolean): Promise<TrialResult> {
    const machine = await this.#startMachine();
    const forecast = await this.#source.ask<Forecast>('migrate', this.#path('vm'), '--dry-run', '--bandwidth', String(this.#byteRate()));
    const receiver = await this.#receive(this.#target, PORT.target, 'there');
    const report = await this.#migrate(this.#source, 'vm', `${this.#target.address}:${PORT.target}`);
    if (report.outcome !== 'handed-over') return { forecast, report, ...(await this.#judgeKept()), identical: undefined };
    const left = (await machine.ended).result as unknown as Status;
    await receiver.event('control');
    await setTimeout(RUN_MS);
    const there = await this.#target.ask<Status>('control', this.#path('there'), 'status');
    const { faults } = await this.#target.ask<{ faults: unknown[] }>('control', this.#path('there'), 'check');
    const lost = { lostTicks: there.ticks - there.figures.ticks - left.ticks, lostSteps: there.steps - there.figures.steps - left.steps };
    const stands = there.state !== 'running' || there.throttle !== 0;
    const identical = andBack ? await this.#comeBack() : undefined;
    return { forecast, report, ...lost, faults: left.faults + faults.length + (stands ? 1 : 0), identical };
  }

  close(): void {
    this.#source.close();
    this.#target.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startMachine(): Promise<SavkitCommand> {
    const machine = this.#source.start('run', this.#options.state, ...this.#options.workload, '--name', 'vm', '--socket', this.#path('vm'));
    await machine.event('running', 300_000);
    await setTimeout(RUN_MS);
    return machine;
  }

  async #receive(host: NetworkHost, port: number, control: string): Promise<SavkitCommand> {
    const records = ['--records', this.#path(`${control}-records`)];
    const receiver = host.start('receive', '--listen', `${host.address}:${port}`, '--control', this.#path(control), ...records);
    await receiver.event('listening');
    return receiver;
  }

  async #migrate(host: NetworkHost, socket: string, to: string, ...more: string[]): Promise<MigrationReport> {
    const args = ['migrate', this.#path(socket), '--to', to, '--records', this.#path(`${socket}-records`), ...this.#options.migrate, ...more];
    const { result, message } = await host.start(...args).ended;
    if (!('outcome' in result)) throw new Error(`migrate: ${message}`);
    return result as unknown as MigrationReport;
  }

  /** The machine has to go on at the source, at full speed. */
  async #judgeKept(): Promise<Pick<TrialResult, 'lostTicks' | 'lostSteps' | 'faults'>> {
    const before = await this.#source.ask<Status>('control', this.#path('vm'), 'status');
    await setTimeout(RUN_MS);
    const { state, steps, throttle } = await this.#source.ask<Status>('control', this.#path('vm'), 'status');
    const { faults } = await this.#source.ask<{ faults: unknown[] }>('control', this.#path('vm'), 'check');
    const stands = state !== 'running' || steps <= before.steps || throttle !== 0;
    return { lostTicks: 0, lostSteps: 0, faults: faults.length + (stands ? 1 : 0) };
  }

  /** The second migration, in which the user pauses and saves the machine: the target has to have what the source has. */
  async #comeBack(): Promise<boolean> {
    const receiver = await this.#receive(this.#source, PORT.source, 'back');
    const [here, there] = [this.#path('there'), this.#path('back')];
    const back = this.#migrate(this.#target, 'there', `${this.#source.address}:${PORT.source}`, '--bandwidth', SLOW);
    back.catch(() => {});
    await receiver.event('arriving');
    await setTimeout(300);
    await this.#target.ask('control', here, 'pause');
    const left = await this.#target.ask<Status>('control', here, 'status');
    await this.#target.ask('control', here, 'save', this.#path('left.sav'));
    await this.#target.ask('migrate', here, '--change', '--bandwidth', UNLIMITED);
    const { outcome, paused } = await back;
    await receiver.event('control');
    const arrived = await this.#source.ask<Status>('control', there, 'status');
    await this.#source.ask('control', there, 'save', this.#path('arrived.sav'));
    await this.#source.ask('control', there, 'resume');
    await setTimeout(RUN_MS);
    const { faults } = await this.#source.ask<{ faults: unknown[] }>('control', there, 'check');
    const isSame = (await hashOf(this.#path('left.sav'))) === (await hashOf(this.#path('arrived.sav')));
    return outcome === 'handed-over' && paused && isSame && arrived.ticks === left.ticks && arrived.steps === left.steps && faults.length === 0;
  }

  #byteRate(): number {
    const { rate } = LINKS[this.#link.name];
    return rate === undefined ? LOOPBACK_RATE : rate / 8;
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
