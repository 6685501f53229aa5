import type { Socket } from 'node:net';
import { join } from 'node:path';
import { flag, integer, list, record, text, withDefault } from '../../formats/values/shape.ts';
import type { Listener } from '../../formats/world/sockets.ts';
import type { TimerHandle } from '../../formats/world/time.ts';
import { after, clock, sleep, stopTimer } from '../../formats/world/waiting.ts';
import type { DiskWay } from '../machine/machine.ts';
import { listenAt } from '../qmp/one-connection.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
import { LinkError } from '../wire/link-error.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { exportOf } from './disk-exports.ts';
import type { GuestDisk } from './guest-disks.ts';
import { privateFolder, removeFolder } from './memory/private-folder.ts';

// QEMU itself mirrors disks over NBD: from the start of the copy, each write of the guest goes to both images. QEMU
// connects to a socket of this process, which forwards the data to the target's QEMU over the connections of the
// migration.

/** QEMU's answer about its background jobs. */
const size = integer(0, Number.MAX_SAFE_INTEGER);
const jobsShape = list(
  record({ device: text(1024), len: size, offset: size, ready: withDefault(flag, false), status: text(64) }),
  1024,
);
const endShape = record({ device: text(1024), error: withDefault(text(65_536), '') });
const LOOK_MS = 100;
const END_LOOK_MS = 2;
/**
 * Longest wait for the end of ready copies, which takes milliseconds unless the target's disk is slow: the guest stands
 * still meanwhile.
 */
const END_MS = 10_000;

/** Copies of all disks of a guest, from `start` on. */
export class DiskMirror {
  readonly #qmp: QmpClient;
  readonly #disks: readonly GuestDisk[];
  readonly #way: DiskWay;
  readonly #folder = privateFolder();
  readonly #listeners: Listener[] = [];
  /** Connections of QEMU to the disks of the target. */
  readonly #sockets = new Set<Socket>();
  readonly #unwatch: () => void;
  /** QEMU's reasons for copies that it has given up, by job. */
  readonly #errors = new Map<string, string>();
  readonly #endMs: number;
  #limit: TimerHandle | undefined;
  #isLate = false;

  /** @param endMs longest wait for the end of ready copies */
  constructor(qmp: QmpClient, disks: readonly GuestDisk[], way: DiskWay, endMs = END_MS) {
    this.#endMs = endMs;
    this.#qmp = qmp;
    this.#disks = disks;
    this.#way = way;
    this.#unwatch = qmp.onEvent(({ name, data }) => {
      if (name !== 'BLOCK_JOB_COMPLETED' && name !== 'BLOCK_JOB_CANCELLED') return;
      const { device, error } = endShape(data);
      if (error !== '') this.#errors.set(device, error);
    });
  }

  /** Resolves when both images of each disk are equal; from then on they stay equal. @throws SavkitError */
  async start(): Promise<void> {
    // Copies that a killed savkit has left have the same names.
    await this.#removeCopies();
    this.#errors.clear();
    for (const [i, disk] of this.#disks.entries())
      await this.#begin(i, disk).catch((error: unknown) => {
        // QEMU refuses a disk whose connection breaks as it is opened.
        this.#check();
        throw error;
      });
    for (; ; await sleep(LOOK_MS)) {
      const jobs = await this.#jobs();
      const [done, all] = [jobs.map(({ offset }) => offset), jobs.map(({ len }) => len)].map(sum);
      this.#way.onProgress(done, all);
      if (jobs.every(({ ready }) => ready)) return;
    }
  }

  async #begin(i: number, disk: GuestDisk): Promise<void> {
    const path = join(this.#folder, exportOf(i));
    await this.#listen(i, path);
    const target = awayOf(i);
    await this.#qmp.execute('blockdev-add', {
      driver: 'nbd',
      'node-name': target,
      server: { type: 'unix', path },
      export: exportOf(i),
    });
    const speed = this.#way.maxRate();
    await this.#qmp.execute('blockdev-mirror', {
      ...{ 'job-id': jobOf(i), device: disk.nodeNow, target, sync: 'full', 'copy-mode': 'write-blocking' },
      ...(Number.isFinite(speed) ? { speed: Math.floor(speed / this.#disks.length) } : {}),
    });
  }

  /**
   * To be called just before the guest is stopped. A QEMU that stops waits, deaf to commands, until the target's disks
   * have all writes; if they do not answer in time, their connections are broken, so that QEMU goes on.
   */
  limitEnd(): void {
    this.#limit ??= after(this.#endMs, () => {
      this.#isLate = true;
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /**
   * Ends the copies after the guest was stopped; both images are equal then.
   * @throws LinkError where the link breaks, or nobody answers in time; MigrationError
   */
  async finish(): Promise<void> {
    this.limitEnd();
    for (const { device, ready } of await this.#jobs()) {
      if (!ready) throw new MigrationError('disk-failed', `Cannot hand over: ${device} is not equal on both sides`);
      await this.#qmp.execute('block-job-cancel', { device });
    }
    for (; (await this.#list()).length > 0; await sleep(END_LOOK_MS)) this.#check();
    this.#check();
    await this.abandon();
  }

  /** Cancels the copies, and removes all that they needed. */
  async abandon(): Promise<void> {
    await this.#removeCopies();
    stopTimer(this.#limit);
    this.#unwatch();
    for (const listener of this.#listeners) listener.close();
    removeFolder(this.#folder);
  }

  async #removeCopies(): Promise<void> {
    const jobs = await this.#list().catch(() => []);
    for (const { device } of jobs) await this.#qmp.execute('block-job-cancel', { device, force: true }).catch(() => {});
    for (const end = clock() + END_MS; clock() < end; await sleep(END_LOOK_MS))
      if ((await this.#list().catch(() => [])).length === 0) break;
    for (const i of this.#disks.keys())
      await this.#qmp.execute('blockdev-del', { 'node-name': awayOf(i) }).catch(() => {});
  }

  async #listen(disk: number, path: string): Promise<void> {
    const carry = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#way.carry(disk, socket);
    };
    this.#listeners.push(await listenAt(path, carry));
  }

  /** The jobs of all disks. @throws SavkitError where one has ended */
  async #jobs(): Promise<ReturnType<typeof jobsShape>> {
    const jobs = await this.#list();
    this.#check();
    if (jobs.length === this.#disks.length) return jobs;
    throw new MigrationError('disk-failed', 'Cannot copy disks: QEMU has given up a copy without a reason');
  }

  /** @throws SavkitError where a copy cannot go on: the link's own error first, as QEMU reports only the consequence */
  #check(): void {
    if (this.#isLate) throw LinkError.silent(this.#endMs, "that the target's disks have all writes");
    const broken = this.#way.failure();
    if (broken) throw broken;
    for (const [job, error] of this.#errors)
      throw new MigrationError('disk-failed', `Cannot copy disks: QEMU has given up ${job}: ${error}`);
  }

  async #list(): Promise<ReturnType<typeof jobsShape>> {
    return (await this.#qmp.ask('query-block-jobs', jobsShape)).filter(({ device }) => device.startsWith(JOB));
  }
}

const JOB = 'savkit-mirror';

function jobOf(disk: number): string {
  return `${JOB}${disk}`;
}

/** Name of the block node for the target's disk. */
function awayOf(disk: number): string {
  return `savkit-away${disk}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
