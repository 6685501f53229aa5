import type { SavkitError } from '../../formats/errors.ts';
import { sleep } from '../../formats/world/waiting.ts';
import type { QemuDescription } from '../machine/description.ts';
import type { DiskWay, SourceMachine } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { BorrowedSettings } from '../qmp/borrowed-settings.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { describeGuest, writableDisks } from './describe-guest.ts';
import { DeviceSaves } from './device-saves.ts';
import { DiskMirror } from './disk-mirror.ts';
import { type GuestFacts, statusOf } from './guest-facts.ts';
import { endsSoon } from './guest-process.ts';
import { GuestRun } from './guest-run.ts';
import { expectOwnFiles, locateMemory } from './locate-memory.ts';
import { GuestRam } from './memory/guest-ram.ts';
import { RamFiles } from './memory/ram-files.ts';
import { type TrackingOptions, WrittenPages } from './written-pages.ts';

/** State of a QEMU whose guest has not run since its devices were saved. */
const HAS_SAVED = 'postmigrate';
/** Longest time that a QEMU takes to quit. */
const QUIT_MS = 10_000;

/** Options of moving a guest. */
export interface QemuSourceOptions extends TrackingOptions {
  /** Copy the disks; else both sides see the same disks. */
  copiesDisks?: boolean;
  /** Called when QEMU's settings may stay as savkit needed them. */
  onSettingsLeft?: (why: SavkitError) => void;
}

/** A guest of QEMU that leaves this host: its memory is read from files, its devices are saved by QEMU. */
export class QemuSource extends GuestRam implements SourceMachine {
  readonly description: QemuDescription;
  #qmp: QmpClient;
  readonly #facts: GuestFacts;
  readonly #run: GuestRun;
  readonly #options: QemuSourceOptions;
  #mirror: DiskMirror | undefined;
  readonly #written: WrittenPages;
  readonly #saves: DeviceSaves;
  readonly #settings: BorrowedSettings;

  private constructor(qmp: QmpClient, facts: GuestFacts, ram: RamFiles, options: QemuSourceOptions) {
    super(ram);
    this.#options = options;
    this.#written = new WrittenPages(facts, this.scan, options);
    this.#saves = new DeviceSaves(facts);
    this.#settings = new BorrowedSettings(options.onSettingsLeft);
    this.#qmp = qmp;
    this.#facts = facts;
    this.#run = new GuestRun(facts.status);
    this.description = describeGuest(facts);
    this.#listen();
  }

  /**
   * Opens a guest, which must have passed `hindrancesOf`.
   * @throws EnvironmentError for memory that can't be opened, UnsupportedError
   */
  static open(qmp: QmpClient, facts: GuestFacts, options: QemuSourceOptions = {}): QemuSource {
    const ram = RamFiles.open(locateMemory(facts), 'r');
    try {
      expectOwnFiles(facts, ram.places, qmp.path);
      return new QemuSource(qmp, facts, ram, options);
    } catch (error) {
      ram.close();
      throw error;
    }
  }

  startTracking(known: PageHashes): Promise<void> {
    return this.#written.start(known);
  }

  get comparesMemory(): boolean {
    return this.#written.comparesMemory;
  }

  get missesWrites(): boolean {
    return this.#written.missesWrites;
  }

  /** Copies the disks, after ending a copy that an earlier link has left unfinished. */
  async copyDisks(way: DiskWay): Promise<void> {
    if (!this.#options.copiesDisks) return;
    await this.#connect();
    await this.#endMirror();
    this.#mirror = new DiskMirror(this.#qmp, writableDisks(this.#facts), way);
    await this.#mirror.start();
  }

  /** @throws EnvironmentError if QEMU has ended, though its memory is still in the files */
  async takeDirty(into: PageSet): Promise<void> {
    await this.#connect();
    await this.#written.take(into);
    // QEMU may have ended meanwhile.
    await this.#connect();
  }

  /** QEMU hands out the memory with the devices; it is stripped from the result of `saveRest`. */
  get isHandedOut(): boolean {
    return this.#saves.isHandedOut;
  }

  async stopTracking(): Promise<void> {
    this.#written.stop();
    await this.#connect().catch(() => {});
    await this.#saves.end(this.#qmp, false);
    await this.#endMirror();
    await this.#settings.putBackAtLast({ connected: () => this.#connect(), isOver: () => this.hasEnded() });
  }

  /** Comparing takes two threads about 130 ms for 1 GiB; the target does so, too. */
  get stopMs(): number {
    return this.scan.lastMs + this.#saves.ms;
  }

  get isPaused(): boolean {
    const { isStopped, wasPaused, runs } = this.#run;
    return isStopped || this.#saves.isBegun ? wasPaused : !runs;
  }

  /** Whether the guest may stand still because of this side, though it ran before. */
  async mayStand(): Promise<boolean> {
    return this.#run.mayStand && !(await this.hasEnded()) && this.#run.mayStand;
  }

  async readyToPause(): Promise<boolean> {
    await this.#prepare();
    if (!this.#saves.isHandedOut) return false;
    await this.#saves.end(this.#qmp, this.#run.wasPaused);
    // QEMU itself stops the guest when it has handed out all memory.
    if (await this.#findSave()) return false;
    this.#run.mayStop();
    await this.#saves.begin(this.#qmp).untilHandedOut();
    // A guest that wrote nothing has been stopped already, and needs no further round.
    return this.#run.runs;
  }

  /** Stops the guest. QEMU saves the devices while the last pages are sent, as saving does not change memory. */
  async pause(): Promise<void> {
    // Until QEMU has answered, its events tell how the guest has to go on.
    if (!this.#saves.isBegun) this.#run.noteBefore();
    await this.#prepare();
    // Not every connection to QEMU reports events.
    if (!this.#saves.isBegun) await this.#findSave();
    this.#run.begunToStop();
    this.#mirror?.limitEnd();
    await this.#run.stop(() => this.#qmp.execute('stop'));
    await this.#mirror?.finish();
    this.#mirror = undefined;
    this.#saves.begin(this.#qmp).letEnd();
  }

  async resume(): Promise<void> {
    try {
      await this.#letRun();
    } catch (error) {
      // Without another connection, the guest would stand still for ever.
      if (!this.#qmp.hasEnded) throw error;
      await this.#letRun();
    }
  }

  async #letRun(): Promise<void> {
    await this.#connect();
    await this.#saves.end(this.#qmp, this.#run.wasPaused);
    await this.#endMirror();
    this.#run.letGo();
    this.#saves.forgetDevices();
    // The guest does not wait for a QEMU that hangs here: `stopTracking` tries again.
    await this.#settings.putBack(this.#qmp).catch(() => {});
    if (this.#run.wasPaused) return;
    await this.#qmp.execute('cont');
    this.#run.noteRunning();
  }

  async stillStands(): Promise<void> {
    await this.#connect();
    if (!this.#run.isStarted(await statusOf(this.#qmp))) return;
    throw new MigrationError('started-by-others', 'Cannot hand over: somebody else has let the guest run (QMP cont)');
  }

  throttle(share: number): void {
    if (share < 1) throw new MigrationError('no-throttle', 'Cannot slow the guest: QEMU has no command for that');
  }

  /** The command line with which the target starts QEMU, if the system tells it. */
  async outline(): Promise<Uint8Array> {
    return Buffer.from(JSON.stringify(this.#facts.process?.commandLine ?? []));
  }

  saveRest(): Promise<Uint8Array> {
    return this.#saves.result();
  }

  /** Whether nobody answers at QEMU's socket any more, and its process, if known, is gone. */
  async hasEnded(): Promise<boolean> {
    const isThere = await this.#connect().then(
      () => true,
      () => false,
    );
    const { process } = this.#facts;
    return !isThere && (process === undefined || (await endsSoon(process.pid)));
  }

  /** Ends QEMU here, as the guest runs elsewhere. */
  async release(): Promise<void> {
    this.#run.handOver();
    await this.#connect().catch(() => {});
    await this.#qmp.execute('quit').catch(() => {});
    await Promise.race([this.#qmp.closed, sleep(QUIT_MS, { keepsAlive: false })]);
  }

  /** Closes all connections and files; the guest does not notice. */
  close(): void {
    this.#written.stop();
    this.closeRam();
    this.#qmp.close();
  }

  /** Connects again if the connection has broken while QEMU lives. @throws EnvironmentError */
  async #connect(): Promise<QmpClient> {
    if (!this.#qmp.hasEnded) return this.#qmp;
    const { closed, path } = this.#qmp;
    this.#qmp = await QmpClient.connect(path).catch(async () => Promise.reject(await closed));
    this.#listen();
    this.#run.noteStatus(await statusOf(this.#qmp));
    return this.#qmp;
  }

  #listen(): void {
    this.#qmp.onEvent(({ name }) => {
      if (name === 'STOP') {
        this.#run.onStop();
        // QEMU itself has stopped a guest whose memory is handed out.
        if (this.#saves.isBegun) this.#mirror?.limitEnd();
      }
      if (name === 'RESUME') this.#run.onResume();
    });
  }

  /**
   * Sets QEMU up for saving devices. Done just before the guest stops: each command takes time, and until then the
   * owner may change QEMU's settings.
   */
  #prepare(): Promise<void> {
    return this.#settings.setForDevices(this.#qmp, this.#saves.isHandedOut ? 'stripped' : 'left-out');
  }

  /**
   * Learns whether the guest was paused. QEMU saves devices only once until the guest runs again: for another attempt
   * with a guest that was paused before, the first save has to do.
   * @returns whether there is one
   */
  async #findSave(): Promise<boolean> {
    const status = await statusOf(this.#qmp);
    this.#run.noteBefore(status);
    if (status === HAS_SAVED) this.#saves.reuseLast();
    return this.#saves.isBegun;
  }

  async #endMirror(): Promise<void> {
    const mirror = this.#mirror;
    this.#mirror = undefined;
    await mirror?.abandon();
  }
}
