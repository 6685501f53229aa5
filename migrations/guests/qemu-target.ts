import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { QemuDescription } from '../machine/description.ts';
import type { TargetMachine } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import { BorrowedSettings } from '../qmp/borrowed-settings.ts';
import type { EndWithUs } from '../qmp/end-with-us.ts';
import type { MigrationSettings } from '../qmp/migration-settings.ts';
import type { QemuProcess } from '../qmp/qemu-process.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { loadDevices } from './device-stream.ts';
import { DiskExports } from './disk-exports.ts';
import type { GuestDisk } from './guest-disks.ts';
import { statusOf } from './guest-facts.ts';
import { GuestRam } from './memory/guest-ram.ts';
import { removeFolder } from './memory/private-folder.ts';
import type { RamFiles } from './memory/ram-files.ts';
import type { ReservedMemory } from './memory/reserved-memory.ts';
import { emptyMemory } from './memory-in-use.ts';

const ZEROS = new Uint8Array(PAGE_SIZE);
/** Announcements to network switches that the guest has moved: five, within a second. */
export const ANNOUNCE = { initial: 50, max: 550, rounds: 5, step: 50 };

/** Parts of a `QemuTarget`. */
interface TargetParts {
  process: QemuProcess;
  /** Ends QEMU if this process is killed before a record names it. */
  guard: EndWithUs;
  qmp: QmpClient;
  ram: RamFiles;
  reserved: ReservedMemory;
  /** Disks that the guest writes to, in the order of the description. */
  disks: readonly GuestDisk[];
  /** Folder for sockets and log. */
  folder: string;
  /** Settings of migration to restore once QEMU has its guest. */
  settings: MigrationSettings;
  /** Called when the settings may stay as savkit needed them. */
  onSettingsLeft?: ((why: SavkitError) => void) | undefined;
}

/** A QEMU that waits for a guest: savkit fills its memory as files, then it loads the devices. */
export class QemuTarget extends GuestRam implements TargetMachine {
  readonly isSeeded = false;
  readonly runs = true;
  readonly description: QemuDescription;
  readonly process: QemuProcess;
  #guard: EndWithUs | undefined;
  #qmp: QmpClient;
  /** Another connection that is being made. */
  #connecting: Promise<QmpClient> | undefined;
  /** QEMU loads devices only once. */
  #hasDevices = false;
  /** Folder with QEMU's sockets and log. */
  readonly #folder: string;
  /** Pages that were written; fresh memory is zero. */
  readonly #written: PageSet;
  readonly #disks: DiskExports;
  readonly #reserved: ReservedMemory;
  /** Settings of migration to restore once QEMU has its guest. */
  readonly settings: MigrationSettings;
  readonly #borrowed: BorrowedSettings;
  /** Resolves once the settings are restored. */
  #isPutBack: Promise<void> = Promise.resolve();

  constructor(description: QemuDescription, parts: TargetParts) {
    super(parts.ram);
    this.#disks = new DiskExports(() => this.#connected(), parts.disks, parts.folder);
    this.description = description;
    this.process = parts.process;
    this.#guard = parts.guard;
    this.#qmp = parts.qmp;
    this.#folder = parts.folder;
    this.#reserved = parts.reserved;
    this.settings = parts.settings;
    this.#borrowed = new BorrowedSettings(parts.onSettingsLeft, parts.settings);
    this.#written = new PageSet(parts.ram.pageCount);
  }

  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void {
    this.#dismissGuard();
    for (let i = 0; i < count; i++) this.#written.add(pages[i]);
    this.ram.writePages(pages, count, bytes, at);
  }

  zeroPage(page: number): void {
    if (this.#written.has(page)) this.ram.writePages(Uint32Array.of(page), 1, ZEROS, 0);
  }

  /** Ends the guard at the first page: by then a record names this QEMU. */
  #dismissGuard(): void {
    this.#guard?.release();
    this.#guard = undefined;
  }

  /** Hashes memory, after all of it has arrived. */
  override async hashMemory(hashes: PageHashes): Promise<void> {
    await this.#reserved.done;
    await super.hashMemory(hashes);
  }

  /** The connection to its QEMU, which may be another one later. */
  get qmp(): QmpClient {
    return this.#qmp;
  }

  get ended(): Promise<SavkitError> {
    return this.process.ended;
  }

  openDisk(disk: number): Promise<Duplex> {
    return this.#disks.connect(disk);
  }

  arriveAgain(): void {
    if (this.#hasDevices)
      throw new MigrationError(
        'is-over',
        'Cannot go on with this guest: its QEMU here has loaded the devices, and takes no others; ' +
          'a new migration can begin',
      );
  }

  /** Loads devices, after all of memory, since they read their queues there. */
  async loadRest(rest: Uint8Array): Promise<void> {
    this.#dismissGuard();
    await this.#reserved.done;
    await this.#disks.close();
    this.#hasDevices = true;
    try {
      await loadDevices(await this.#connected(), rest);
    } catch (error) {
      // Most versions of QEMU exit when they cannot load.
      throw (await this.process.hasEnded()) ? this.process.whyEnded() : error;
    }
    if ((await statusOf(await this.#connected())) === 'running')
      throw new MigrationError('runs-already', 'Cannot take guest: QEMU runs it before its source has said so');
    const isOver = async () => this.process.isOver;
    // Left on, x-ignore-shared would prevent the guest's next migration to another QEMU. Later commands queue after
    // these, so nothing waits for them.
    this.#isPutBack = this.#borrowed.putBackAtLast({ connected: () => this.#connected(), isOver });
  }

  async start(): Promise<void> {
    const qmp = await this.#connected();
    await qmp.execute('cont');
    // The guest runs already, so nothing waits for the announcements.
    qmp.execute('announce-self', ANNOUNCE).catch(() => {});
  }

  /** Connects again if the connection has broken while QEMU lives. @throws SavkitError */
  async #connected(): Promise<QmpClient> {
    if (this.#qmp.hasEnded && !this.process.isOver) {
      // Settings are put back while the guest is started.
      this.#connecting ??= QmpClient.connect(this.process.qmpPath).finally(() => {
        this.#connecting = undefined;
      });
      this.#qmp = await this.#connecting;
    }
    return this.#qmp;
  }

  /** Lets go of the guest, which runs on. */
  close(): void {
    this.closeRam();
    void this.#isPutBack.then(() => this.#qmp.close());
  }

  discard(): void {
    this.close();
    this.process.kill();
    this.#dismissGuard();
    const paths = this.ramPaths;
    emptyMemory(paths);
    void this.#reserved.cancel().then(() => emptyMemory(paths));
    removeFolder(this.#folder);
  }
}
