import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { world } from '../../formats/world/world.ts';
import type { QmpClient } from '../qmp/qmp-client.ts';
import { networkError } from '../wire/network-error.ts';
import type { GuestDisk } from './guest-disks.ts';

/** Name of a disk as both QEMUs know it. @param disk its number in the description */
export function exportOf(disk: number): string {
  return `disk${disk}`;
}

/** The disks of a QEMU that waits for its guest, open to be filled over a socket that only this user can reach. */
export class DiskExports {
  readonly #connected: () => Promise<QmpClient>;
  readonly #disks: readonly GuestDisk[];
  readonly #path: string;
  readonly #open = new Set<number>();
  #isServing = false;
  /** Commands for one disk after the other: a link may be made anew while QEMU still answers for the last one. */
  #turn: Promise<unknown> = Promise.resolve();

  /** @param connected gives a connection to QEMU @param folder for the socket */
  constructor(connected: () => Promise<QmpClient>, disks: readonly GuestDisk[], folder: string) {
    this.#connected = connected;
    this.#disks = disks;
    this.#path = join(folder, 'nbd');
  }

  /**
   * @throws UnsupportedError with QEMU's message, as for an image that another process has open;
   * EnvironmentError if the socket can't be reached
   */
  async connect(disk: number): Promise<Socket> {
    await this.#inTurn(() => this.#export(disk));
    const socket = world.sockets.connect(this.#path);
    try {
      await once(socket, 'connect');
    } catch (error) {
      throw networkError(error, 'reach the disks of QEMU');
    }
    return socket;
  }

  /** Ends the exports: QEMU itself uses the images when it loads its devices. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#end());
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #export(disk: number): Promise<void> {
    const qmp = await this.#connected();
    if (!this.#isServing) await qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: this.#path } } });
    this.#isServing = true;
    if (this.#open.has(disk)) return;
    const name = exportOf(disk);
    const node = this.#disks[disk].nodeNow;
    await qmp.execute('block-export-add', { type: 'nbd', id: name, 'node-name': node, writable: true, name });
    this.#open.add(disk);
  }

  async #end(): Promise<void> {
    if (!this.#isServing) return;
    const qmp = await this.#connected();
    for (const disk of this.#open) {
      await qmp.execute('block-export-del', { id: exportOf(disk), mode: 'hard' });
      this.#open.delete(disk);
    }
    await qmp.execute('nbd-server-stop');
    this.#isServing = false;
  }
}
