import type { Duplex } from 'node:stream';
import type { SavkitError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { QemuDescription } from '../machine/description.ts';
import type { TargetMachine } from '../machine/machine.ts';
import type { PageHashes } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import { type MigrationSettings, putBack } from '../qmp/migration-settings.ts';
import type { QemuProcess } from '../qmp/qemu-process.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
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
  qmp: QmpClient;
  ram: RamFiles;
  reserved: ReservedMemory;
  /** Disks that the guest writes to, in the order of the description. */
  disks: readonly GuestDisk[];
  /** Folder for sockets and log. */
  folder: string;
  /** Settings of migration to restore once QEMU has its guest. */
  settings: MigrationSettings;
}

/** A QEMU that waits for a guest: savkit fills its memory as files, then it loads the devices. */
export class QemuTarget extends GuestRam implements TargetMachine {
  readonly isSeeded = false;
  readonly runs = true;
  readonly description: QemuDescription;
  readonly process: QemuProcess;
  readonly qmp: QmpClient;
  /** Holds its sockets and its log. */
  readonly #folder: string;
  /** Pages that were written; fresh memory is zero. */
  readonly #written: PageSet;
  readonly #disks: DiskExports;
  readonly #reserved: ReservedMemory;
  /** Settings of migration to restore once QEMU has its guest. */
  readonly settings: MigrationSettings;
  /** Resolves once the settings are restored. */
  #isPutBack: Promise<void> = Promise.resolve();

  constructor(description: QemuDescription, parts: TargetParts) {
    super(parts.ram);
    this.#disks = new DiskExports(parts.qmp, parts.disks, parts.folder);
    this.description = description;
    this.process = parts.process;
    this.qmp = parts.qmp;
    this.#folder = parts.folder;
    this.#reserved = parts.reserved;
    this.settings = parts.settings;
    this.#written = new PageSet(parts.ram.pageCount);
  }

  writePages(pages: Uint32Array, count: number, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < count; i++) this.#written.add(pages[i]);
    this.ram.writePages(pages, count, bytes, at);
  }

  zeroPage(page: number): void {
    if (this.#written.has(page)) this.ram.writePages(Uint32Array.of(page), 1, ZEROS, 0);
  }

  /** Hashes memory, after all of it has arrived. */
  override async hashMemory(hashes: PageHashes): Promise<void> {
    await this.#reserved.done;
    await super.hashMemory(hashes);
  }

  get ended(): Promise<SavkitError> {
    return this.process.ended;
  }

  openDisk(disk: number): Promise<Duplex> {
    return this.#disks.connect(disk);
  }

  /** Loads devices, after all of memory, since they read their queues there. */
  async loadRest(rest: Uint8Array): Promise<void> {
    await this.#reserved.done;
    await this.#disks.close();
    try {
      await loadDevices(this.qmp, rest);
    } catch (error) {
      // Most versions of QEMU exit when they cannot load.
      throw (await this.process.hasEnded()) ? this.process.whyEnded() : error;
    }
    if ((await statusOf(this.qmp)) === 'running')
      throw new MigrationError('runs-already', 'Cannot take guest: QEMU runs it before its source has said so');
    // Left on, x-ignore-shared would prevent the guest's next migration to another QEMU. Later commands queue after
    // these, so nothing waits for them.
    this.#isPutBack = putBack(this.qmp, this.settings).catch(() => {});
  }

  async start(): Promise<void> {
    await this.qmp.execute('cont');
    // The guest runs already, so nothing waits for the announcements.
    this.qmp.execute('announce-self', ANNOUNCE).catch(() => {});
  }

  /** Lets go of the guest, which runs on. */
  close(): void {
    this.closeRam();
    void this.#isPutBack.then(() => this.qmp.close());
  }

  discard(): void {
    this.close();
    this.process.kill();
    const paths = this.ramPaths;
    emptyMemory(paths);
    void this.#reserved.cancel().then(() => emptyMemory(paths));
    removeFolder(this.#folder);
  }
}
