import { setTimeout } from 'node:timers/promises';
import { record, text } from '../../formats/values/shape.ts';
import type { QemuDescription } from '../machine/description.ts';
import type { DiskWay, SourceMachine } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { describeGuest, ramPathOf, writableDisks } from './describe-guest.ts';
import { cancelSave, saveDevices } from './device-stream.ts';
import { DiskMirror } from './disk-mirror.ts';
import type { GuestFacts } from './guest-facts.ts';
import { endsSoon } from './guest-process.ts';
import { GuestRam } from './memory/guest-ram.ts';
import { RamFiles } from './memory/ram-files.ts';
import { type FormerSettings, putBack, setForDevicesOnly } from './migration-settings.ts';

/** QEMU's stop, and its devices, as long as none was measured, in ms: 0.5–2 and 5–50 were seen. */
const GUESSED_DEVICES_MS = 50;
/** How long a QEMU that was told to quit may take. */
const QUIT_MS = 10_000;

const statusShape = record({ status: text(64) });

/** A guest of a QEMU on this host that is to go elsewhere: its memory is read as files, its devices QEMU saves. */
export class QemuSource extends GuestRam implements SourceMachine {
  readonly description: QemuDescription;
  readonly comparesMemory = true;
  #qmp: QmpClient;
  readonly #facts: GuestFacts;
  #known: PageHashes | undefined;
  #former: FormerSettings | undefined;
  /** As QEMU's events tell. */
  #runs: boolean;
  /** Somebody had paused it before this side stopped it. */
  #wasPaused = false;
  #isStopped = false;
  /** Devices of the guest as it stands. */
  #devices: Promise<Uint8Array> | undefined;
  #devicesMs = GUESSED_DEVICES_MS;
  /** Somebody else has let it run since it was stopped. */
  #startedByOthers = false;

  readonly #copiesDisks: boolean;
  #mirror: DiskMirror | undefined;

  private constructor(qmp: QmpClient, facts: GuestFacts, ram: RamFiles, copiesDisks: boolean) {
    super(ram);
    this.#copiesDisks = copiesDisks;
    this.#qmp = qmp;
    this.#facts = facts;
    this.#runs = facts.status === 'running';
    this.description = describeGuest(facts);
    this.#watch();
  }

  /**
   * A guest of which it is known that nothing hinders it (`hindrancesOf`).
   * @param copiesDisks else both sides see the same ones
   * @throws EnvironmentError for memory that can't be opened, UnsupportedError
   */
  static open(qmp: QmpClient, facts: GuestFacts, copiesDisks = false): QemuSource {
    const paths = new Map(facts.backends.map((backend) => [backend.id, ramPathOf(facts, backend)]));
    const ram = RamFiles.open(describeGuest(facts).regions, (name) => paths.get(name) ?? '', 'r');
    return new QemuSource(qmp, facts, ram, copiesDisks);
  }

  async startTracking(known: PageHashes): Promise<void> {
    this.#known = known;
    await this.#prepare();
  }

  /** What an earlier link has left unfinished ends first. */
  async copyDisks(way: DiskWay): Promise<void> {
    if (!this.#copiesDisks) return;
    await this.#connect();
    await this.#endMirror();
    this.#mirror = new DiskMirror(this.#qmp, writableDisks(this.#facts), way);
    await this.#mirror.start();
  }

  /** @throws EnvironmentError where QEMU has ended: its memory stands in the files, and is nobody's */
  async takeDirty(into: PageSet): Promise<void> {
    await this.#connect();
    if (this.#known) await this.scan.find(this.#known, into);
  }

  async stopTracking(): Promise<void> {
    this.#known = undefined;
    await this.#endMirror();
    await this.#putBack();
  }

  /** Two threads look through 1 GiB in about 130 ms; the target does so, too. */
  get stopMs(): number {
    return this.scan.lastMs + this.#devicesMs;
  }

  get isPaused(): boolean {
    return this.#isStopped ? this.#wasPaused : !this.#runs;
  }

  /** QEMU saves its devices while the last pages go. Nothing of that touches memory. */
  async pause(): Promise<void> {
    await this.#prepare();
    // Not every way to a guest tells of events.
    this.#runs = (await this.#status()) === 'running';
    this.#wasPaused = !this.#runs;
    await this.#qmp.execute('stop');
    this.#isStopped = true;
    this.#startedByOthers = false;
    const start = performance.now();
    await this.#mirror?.finish();
    this.#mirror = undefined;
    this.#devices = saveDevices(this.#qmp, this.#facts.process?.pid);
    this.#devices.then(
      () => {
        this.#devicesMs = performance.now() - start;
      },
      () => {},
    );
  }

  async resume(): Promise<void> {
    const isSaved = await this.#devices?.then(
      () => true,
      () => false,
    );
    this.#devices = undefined;
    await this.#connect();
    if (isSaved === false) await cancelSave(this.#qmp).catch(() => {});
    await this.#endMirror();
    this.#isStopped = false;
    await this.#putBack();
    if (this.#wasPaused) return;
    await this.#qmp.execute('cont');
    this.#runs = true;
  }

  async stillStands(): Promise<void> {
    await this.#connect();
    const status = await this.#status();
    // An event that came before the answer counts, too.
    if (!this.#startedByOthers && status !== 'running') return;
    throw new MigrationError('started-by-others', 'Cannot hand over: somebody else has let the guest run (QMP cont)');
  }

  throttle(share: number): void {
    if (share < 1) throw new MigrationError('no-throttle', 'Cannot slow the guest: QEMU has no command for that');
  }

  /** What the target has to start: the command line, where the system tells it. */
  async outline(): Promise<Uint8Array> {
    return Buffer.from(JSON.stringify(this.#facts.process?.commandLine ?? []));
  }

  async saveRest(): Promise<Uint8Array> {
    if (!this.#devices) throw new MigrationError('not-stopped', 'Cannot save devices: the guest was not stopped');
    return this.#devices;
  }

  /** Nobody answers at its socket any more, and its process, where that is known, is gone. */
  async hasEnded(): Promise<boolean> {
    const isThere = await this.#connect().then(
      () => true,
      () => false,
    );
    const { process } = this.#facts;
    return !isThere && (process === undefined || (await endsSoon(process.pid)));
  }

  /** It runs elsewhere: its QEMU ends here. */
  async release(): Promise<void> {
    this.#isStopped = false;
    await this.#connect().catch(() => {});
    await this.#qmp.execute('quit').catch(() => {});
    await Promise.race([this.#qmp.closed, setTimeout(QUIT_MS, undefined, { ref: false })]);
  }

  /** Lets go of what was opened; the guest does not notice. */
  close(): void {
    this.closeRam();
    this.#qmp.close();
  }

  /** A connection may break while QEMU lives: another one does as well. @throws EnvironmentError */
  async #connect(): Promise<void> {
    if (!this.#qmp.hasEnded) return;
    const { closed, path } = this.#qmp;
    this.#qmp = await QmpClient.connect(path).catch(async () => Promise.reject(await closed));
    this.#watch();
    this.#runs = (await this.#status()) === 'running';
    this.#startedByOthers ||= this.#isStopped && this.#runs;
  }

  #watch(): void {
    this.#qmp.onEvent(({ name }) => {
      if (name === 'STOP') this.#runs = false;
      if (name !== 'RESUME') return;
      this.#runs = true;
      this.#startedByOthers ||= this.#isStopped;
    });
  }

  /** Done before the guest stands still: each command takes its time. */
  async #prepare(): Promise<void> {
    this.#former ??= await setForDevicesOnly(this.#qmp);
  }

  async #endMirror(): Promise<void> {
    const mirror = this.#mirror;
    this.#mirror = undefined;
    await mirror?.abandon();
  }

  async #putBack(): Promise<void> {
    const former = this.#former;
    this.#former = undefined;
    if (former) await putBack(this.#qmp, former).catch(() => {});
  }

  async #status(): Promise<string> {
    return (await this.#qmp.ask('query-status', statusShape)).status;
  }
}
