import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { MigrationForecast } from '../../migrations/policy/forecast.ts';
import type { MigrationReport } from '../../migrations/report/report.ts';
import { newPairingCode } from '../../migrations/trust/pairing-code.ts';
import { type Ended, NetworkHost, type SavkitCommand } from './network-host.ts';
import { LINKS, type ShapedLink } from './shaped-link.ts';

const FIRST_PORT = 17001;
/** Time that a machine runs before it leaves, and after it has arrived. */
const RUN_MS = 1000;
/** Longest time for reading a large state. */
const LOAD_MS = 300_000;
/** Time that a migration is under way before the user interferes. */
const GIVE_UP_MS = 500;
/** Bytes a second of the loopback interface, as a dry run is told. */
const LOOPBACK_RATE = 400e6;

/** So slow that there is time for a pause and a save. */
const SLOW = '1M';
const UNLIMITED = '100G';

export interface TrialOptions {
  /** A state with full memory to start from. */
  state: string;
  /** Options of `savkit run`. */
  workload: readonly string[];
  /** Options of `savkit migrate`. */
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
  forecast: MigrationForecast;
  report: MigrationReport;
  /** Time slices and steps that the machine made twice, or not at all. */
  lostTicks: number;
  lostSteps: number;
  faults: number;
  /**
   * The machine, paused on its way back, was saved to the very same file on both sides; undefined if it did not go
   * back.
   */
  identical: boolean | undefined;
}

/** A process that has the machine, on one of the two sides. */
interface Place {
  host: NetworkHost;
  socket: string;
  command: SavkitCommand;
  /** Address at which the machine arrived; empty where it was started. */
  endpoint: string;
}

interface Losses {
  ticks: number;
  steps: number;
  faults: number;
}

/** Migrations of a running machine over a link: to the other side, back, and once more to the other side. */
export class Trial {
  readonly #folder: string;
  readonly #link: ShapedLink;
  readonly #options: TrialOptions;
  readonly #source: NetworkHost;
  readonly #target: NetworkHost;
  #port = FIRST_PORT;

  constructor(folder: string, link: ShapedLink, options: TrialOptions) {
    this.#folder = mkdtempSync(join(folder, 'trial-'));
    this.#link = link;
    this.#options = options;
    const env = { SAVKIT_PAIRING_CODE: newPairingCode() };
    this.#source = new NetworkHost(link, 'source', env);
    this.#target = new NetworkHost(link, 'target', env);
  }

  /**
   * Migrates the machine to the target, if the policy lets it. With `often`, a first attempt is given up before;
   * afterwards the machine comes back, paused and saved on its way, so that both sides can be compared, and goes to the
   * target once more.
   */
  async run(often: boolean): Promise<TrialResult> {
    const first = await this.#startMachine();
    const limits = ['--bandwidth', String(this.#byteRate()), ...this.#options.migrate];
    const forecast = await this.#source.ask<MigrationForecast>(
      'migrate',
      this.#path(first.socket),
      '--dry-run',
      ...limits,
    );
    if (often) await this.#giveUp(first);
    const [report, there] = await this.#goOn(first, this.#target, 't1');
    if (!there) return { forecast, report, ...(await this.#judgeKept(first)), identical: undefined };
    const losses = [await this.#judgeArrived(first, there)];
    if (!often) return { forecast, report, ...sumOf(losses), identical: undefined };
    const [back, identical] = await this.#comeBack(there);
    losses.push(await this.#judgeArrived(there, back));
    const [, again] = await this.#goOn(back, this.#target, 't2');
    if (!again) throw new Error('the third migration did not succeed');
    losses.push(await this.#judgeArrived(back, again));
    return { forecast, report, ...sumOf(losses), identical };
  }

  close(): void {
    this.#source.close();
    this.#target.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #startMachine(): Promise<Place> {
    const command = this.#source.start(
      'run',
      this.#options.state,
      ...this.#options.workload,
      '--name',
      'vm',
      '--socket',
      this.#path('vm'),
    );
    await command.event('running', LOAD_MS);
    await setTimeout(RUN_MS);
    return { host: this.#source, socket: 'vm', command, endpoint: '' };
  }

  async #receive(host: NetworkHost, socket: string): Promise<Place> {
    const endpoint = `${host.address}:${this.#port++}`;
    const where = ['--listen', endpoint, '--control', this.#path(socket), '--records', this.#path('records-there')];
    const command = host.start('receive', ...where);
    await command.event('listening');
    return { host, socket, command, endpoint };
  }

  #migrate({ host, socket }: Place, to: Place, ...more: string[]): SavkitCommand {
    const where = ['--to', to.endpoint, '--records', this.#path('records-here')];
    return host.start('migrate', this.#path(socket), ...where, ...this.#options.migrate, ...more);
  }

  async #goOn(from: Place, host: NetworkHost, socket: string): Promise<[MigrationReport, Place | undefined]> {
    const to = await this.#receive(host, socket);
    const report = reportOf(await this.#migrate(from, to).ended);
    if (report.outcome !== 'handed-over') return [report, undefined];
    await to.command.event('control');
    return [report, to];
  }

  /** Interrupts a migration: the next one must not forget the pages that got dirty meanwhile. */
  async #giveUp(from: Place): Promise<void> {
    const to = await this.#receive(this.#target, 'never');
    const migration = this.#migrate(from, to, '--bandwidth', SLOW);
    await migration.event('connected');
    await setTimeout(GIVE_UP_MS);
    migration.child.kill('SIGINT');
    await migration.ended;
    await to.command.ended;
  }

  /** Counts time slices and steps that an arrived machine made twice, or not at all, and faults of its memory. */
  async #judgeArrived(from: Place, { host, socket }: Place): Promise<Losses> {
    const { result } = await from.command.ended;
    const left = (result.workload && 'steps' in (result.workload as object) ? result.workload : result) as Pick<
      Status,
      'steps' | 'ticks'
    >;
    await setTimeout(RUN_MS);
    const status = await host.ask<Status>('control', this.#path(socket), 'status');
    const { faults } = await host.ask<{ faults: unknown[] }>('control', this.#path(socket), 'check');
    const { steps, ticks } = status.figures;
    const runs = status.state === 'running' && status.throttle === 0;
    return {
      ticks: status.ticks - ticks - left.ticks,
      steps: status.steps - steps - left.steps,
      faults: faults.length + (runs ? 0 : 1),
    };
  }

  /** Checks that a machine that stayed goes on at full speed. */
  async #judgeKept({ host, socket }: Place): Promise<Pick<TrialResult, 'lostTicks' | 'lostSteps' | 'faults'>> {
    const before = await host.ask<Status>('control', this.#path(socket), 'status');
    await setTimeout(RUN_MS);
    const { state, ticks, throttle } = await host.ask<Status>('control', this.#path(socket), 'status');
    const { faults } = await host.ask<{ faults: unknown[] }>('control', this.#path(socket), 'check');
    const runs = state === 'running' && ticks > before.ticks && throttle === 0;
    return sumOf([{ ticks: 0, steps: 0, faults: faults.length + (runs ? 0 : 1) }]);
  }

  /**
   * Migrates the machine back; on its way the user pauses and saves it. @returns whether the same bytes have arrived
   */
  async #comeBack(from: Place): Promise<[Place, boolean]> {
    const to = await this.#receive(this.#source, 's1');
    const migration = this.#migrate(from, to, '--bandwidth', SLOW);
    await migration.event('connected');
    await setTimeout(GIVE_UP_MS);
    const socket = this.#path(from.socket);
    await from.host.ask('control', socket, 'pause');
    await from.host.ask('control', socket, 'save', this.#path('left.sav'));
    await from.host.ask('migrate', socket, '--change', '--bandwidth', UNLIMITED);
    const { outcome, paused, because } = reportOf(await migration.ended);
    if (outcome !== 'handed-over') throw new Error(`the way back: ${because}`);
    await to.command.event('control');
    await to.host.ask('control', this.#path(to.socket), 'save', this.#path('arrived.sav'));
    const isSame = (await hashOf(this.#path('left.sav'))) === (await hashOf(this.#path('arrived.sav')));
    await to.host.ask('control', this.#path(to.socket), 'resume');
    return [to, isSame && paused];
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

function sumOf(losses: readonly Losses[]): Pick<TrialResult, 'lostTicks' | 'lostSteps' | 'faults'> {
  const sum = (key: keyof Losses) => losses.reduce((all, each) => all + Math.abs(each[key]), 0);
  return { lostTicks: sum('ticks'), lostSteps: sum('steps'), faults: sum('faults') };
}

function reportOf({ result, message }: Ended): MigrationReport {
  if (!('outcome' in result)) throw new Error(`migrate: ${message}`);
  return result as unknown as MigrationReport;
}
