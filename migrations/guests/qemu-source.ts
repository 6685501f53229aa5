import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { sleep } from '../../formats/world/waiting.ts';
import type { QemuDescription } from '../machine/description.ts';
import type { DiskWay, SourceMachine } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import type { PageSet } from '../machine/page-set.ts';
import { learnSettings, type MigrationSettings, putBack, setForDevicesOnly } from '../qmp/migration-settings.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { describeGuest, writableDisks } from './describe-guest.ts';
import { DeviceSave } from './device-save.ts';
import { DiskMirror } from './disk-mirror.ts';
import { type GuestFacts, statusOf } from './guest-facts.ts';
import { endsSoon } from './guest-process.ts';
import { expectOwnFiles, isLeftOut, locateMemory } from './locate-memory.ts';
import { GuestRam } from './memory/guest-ram.ts';
import { RamFiles } from './memory/ram-files.ts';
import { WriteWatch } from './memory/write-watch.ts';

/** Time for QEMU's stop and its devices in ms, until it is measured: 0.5–2 and 5–50 were seen. */
const GUESSED_DEVICES_MS = 50;
/** State of a QEMU whose guest has not run since its devices were saved. */
const HAS_SAVED = 'postmigrate';
/** Most time that a QEMU takes to quit. */
const QUIT_MS = 10_000;

/** Options of moving a guest. */
export interface QemuSourceOptions {
  /** Copy the disks; else both sides see the same disks. */
  copiesDisks?: boolean;
  /** Have the kernel note writes, if it can; else all memory is compared. */
  notesWrites?: boolean;
  /** Called when the kernel cannot note writes, or no longer: memory is compared from then on. */
  onWatchLost?: (why: SavkitError) => void;
}

/** A guest of QEMU that leaves this host: its memory is read from files, its devices are saved by QEMU. */
export class QemuSource extends GuestRam implements SourceMachine {
  readonly description: QemuDescription;
  #qmp: QmpClient;
  readonly #facts: GuestFacts;
  #known: PageHashes | undefined;
  /** QEMU's settings before savkit changed them. */
  #former: MigrationSettings | undefined;
  /** Whether the guest runs, by QEMU's events. */
  #runs: boolean;
  /** Somebody had paused the guest before this side stopped it. */
  #wasPaused = false;
  #isStopped = false;
  /** Save of the devices, under way or over. */
  #save: DeviceSave | undefined;
  /** The last save that has succeeded. */
  #saved: DeviceSave | undefined;
  /** Unshared memory that QEMU hands out with the devices: sizes by name. */
  readonly #handedOut: ReadonlyMap<string, number>;
  /** Saved devices of the guest that stands still. */
  #devices: Uint8Array | undefined;
  #devicesMs = GUESSED_DEVICES_MS;
  /** Somebody else has let the guest run since it was stopped. */
  #startedByOthers = false;

  readonly #options: QemuSourceOptions;
  #mirror: DiskMirror | undefined;
  /** Set while the kernel notes writes; else all memory is compared. */
  #watch: WriteWatch | undefined;

  private constructor(qmp: QmpClient, facts: GuestFacts, ram: RamFiles, options: QemuSourceOptions) {
    super(ram);
    this.#options = options;
    this.#qmp = qmp;
    this.#facts = facts;
    this.#runs = facts.status === 'running';
    this.description = describeGuest(facts);
    const isShared = facts.backends.every((backend) => isLeftOut(backend, facts.version));
    this.#handedOut = new Map(isShared ? [] : facts.backends.map(({ id, bytes }) => [id, bytes]));
    this.#listen();
  }

  /**
   * Opens a guest, which must have passed `hindrancesOf`.
   * @throws EnvironmentError for memory that can't be opened, UnsupportedError
   */
  static open(qmp: QmpClient, facts: GuestFacts, options: QemuSourceOptions = {}): QemuSource {
    const ram = RamFiles.open(locateMemory(facts), 'r');
    try {
      expectOwnFiles(facts, ram.places);
      return new QemuSource(qmp, facts, ram, options);
    } catch (error) {
      ram.close();
      throw error;
    }
  }

  async startTracking(known: PageHashes): Promise<void> {
    this.#known = known;
    if (this.#options.notesWrites) this.#watch = await this.#startWatch();
  }

  get comparesMemory(): boolean {
    return this.#watch === undefined;
  }

  /** The kernel notes a page when direct I/O pins it, not when the data read arrives in it. */
  get missesWrites(): boolean {
    return this.#watch !== undefined && this.#facts.disks.some(({ isDirect }) => isDirect);
  }

  /** First ends a copy that an earlier link has left unfinished. */
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
    if (!this.#known) return;
    try {
      if (this.#watch) return await this.#watch.take(into);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      this.#endWatch();
      this.#options.onWatchLost?.(error);
    }
    // If all pages are sent anyway, nothing needs to be searched.
    if (into.size < into.pageCount) await this.scan.find(this.#known, into);
    // QEMU may have ended meanwhile.
    await this.#connect();
  }

  /** QEMU hands out the memory with the devices; it is stripped from the result of `saveRest`. */
  get isHandedOut(): boolean {
    return this.#handedOut.size > 0;
  }

  async stopTracking(): Promise<void> {
    this.#known = undefined;
    this.#endWatch();
    await this.#endSave();
    await this.#endMirror();
    await this.#putBack();
  }

  /** Comparing takes two threads about 130 ms for 1 GiB; the target does so, too. */
  get stopMs(): number {
    return this.scan.lastMs + this.#devicesMs;
  }

  get isPaused(): boolean {
    return this.#isStopped || this.#save ? this.#wasPaused : !this.#runs;
  }

  async readyToPause(): Promise<boolean> {
    await this.#prepare();
    if (this.#handedOut.size === 0) return false;
    await this.#endSave();
    // QEMU itself stops the guest when it has handed out all memory.
    if (await this.#findSave()) return false;
    this.#save = this.#beginSave();
    await this.#save.untilHandedOut();
    // A guest that wrote nothing has been stopped already, and needs no further round.
    return this.#runs;
  }

  /** QEMU saves the devices while the last pages are sent; saving does not change memory. */
  async pause(): Promise<void> {
    // Until QEMU has answered, its events tell how the guest has to go on.
    if (!this.#save) this.#wasPaused = !this.#runs;
    await this.#prepare();
    // Not every connection to QEMU reports events.
    if (!this.#save) await this.#findSave();
    this.#runs = false;
    await this.#qmp.execute('stop');
    this.#isStopped = true;
    this.#startedByOthers = false;
    await this.#mirror?.finish();
    this.#mirror = undefined;
    this.#save ??= this.#beginSave();
    this.#save.letEnd();
  }

  async resume(): Promise<void> {
    await this.#connect();
    await this.#endSave();
    await this.#endMirror();
    this.#isStopped = false;
    this.#devices = undefined;
    await this.#putBack();
    if (this.#wasPaused) return;
    await this.#qmp.execute('cont');
    this.#runs = true;
  }

  async stillStands(): Promise<void> {
    await this.#connect();
    const status = await statusOf(this.#qmp);
    // An event before the answer counts, too.
    if (!this.#startedByOthers && status !== 'running') return;
    throw new MigrationError('started-by-others', 'Cannot hand over: somebody else has let the guest run (QMP cont)');
  }

  throttle(share: number): void {
    if (share < 1) throw new MigrationError('no-throttle', 'Cannot slow the guest: QEMU has no command for that');
  }

  /** The command line with which the target starts QEMU, if the system tells it. */
  async outline(): Promise<Uint8Array> {
    return Buffer.from(JSON.stringify(this.#facts.process?.commandLine ?? []));
  }

  async saveRest(): Promise<Uint8Array> {
    const save = this.#save;
    if (save) {
      this.#devices = await save.bytes;
      this.#devicesMs = save.ms ?? this.#devicesMs;
      this.#saved = save;
    }
    if (this.#devices) return this.#devices;
    throw new MigrationError('not-stopped', 'Cannot save devices: the guest was not stopped');
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
    this.#isStopped = false;
    await this.#connect().catch(() => {});
    await this.#qmp.execute('quit').catch(() => {});
    await Promise.race([this.#qmp.closed, sleep(QUIT_MS, { keepsAlive: false })]);
  }

  /** Closes all connections and files; the guest does not notice. */
  close(): void {
    this.#endWatch();
    this.closeRam();
    this.#qmp.close();
  }

  /** Connects again if the connection has broken while QEMU lives. @throws EnvironmentError */
  async #connect(): Promise<void> {
    if (!this.#qmp.hasEnded) return;
    const { closed, path } = this.#qmp;
    this.#qmp = await QmpClient.connect(path).catch(async () => Promise.reject(await closed));
    this.#listen();
    this.#runs = (await statusOf(this.#qmp)) === 'running';
    this.#startedByOthers ||= this.#isStopped && this.#runs;
  }

  #listen(): void {
    this.#qmp.onEvent(({ name }) => {
      if (name === 'STOP') this.#runs = false;
      if (name !== 'RESUME') return;
      this.#runs = true;
      this.#startedByOthers ||= this.#isStopped;
    });
  }

  /**
   * Sets QEMU for saving devices. Done just before the guest stops: each command takes time, and until then the owner
   * may change QEMU's settings.
   */
  async #prepare(): Promise<void> {
    if (this.#former) return;
    this.#former = await learnSettings((command, shape) => this.#qmp.ask(command, shape));
    await setForDevicesOnly(this.#qmp, this.#former, this.#handedOut.size === 0 ? 'left-out' : 'stripped');
  }

  /** @returns undefined if that is not possible */
  async #startWatch(): Promise<WriteWatch | undefined> {
    const { process, backends } = this.#facts;
    const pieces = backends.flatMap(({ hostAddress: address, bytes }) =>
      address === undefined ? [] : [{ address, pages: bytes / PAGE_SIZE }],
    );
    try {
      if (process === undefined || pieces.length < backends.length)
        throw new EnvironmentError(
          'no-write-watch',
          'Cannot have the kernel note writes: QEMU does not tell where the memory is',
        );
      return await WriteWatch.start(process.pid, pieces);
    } catch (error) {
      if (!(error instanceof SavkitError)) throw error;
      this.#options.onWatchLost?.(error);
      return undefined;
    }
  }

  #endWatch(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  /**
   * Learns whether the guest was paused. QEMU saves devices only once until the guest runs again: for another attempt
   * with a guest that was paused before, the first save has to do.
   * @returns whether there is one
   */
  async #findSave(): Promise<boolean> {
    const status = await statusOf(this.#qmp);
    this.#wasPaused = status !== 'running';
    if (status === HAS_SAVED) this.#save = this.#saved;
    return this.#save !== undefined;
  }

  #beginSave(): DeviceSave {
    return new DeviceSave(this.#qmp, { pid: this.#facts.process?.pid, handedOut: this.#handedOut });
  }

  async #endSave(): Promise<void> {
    const save = this.#save;
    this.#save = undefined;
    await save?.undo(this.#qmp);
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
}
