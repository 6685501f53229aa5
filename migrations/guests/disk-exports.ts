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
  readonly #qmp: QmpClient;
  readonly #disks: readonly GuestDisk[];
  readonly #path: string;
  readonly #open = new Set<number>();

  /** @param folder for the socket */
  constructor(qmp: QmpClient, disks: readonly GuestDisk[], folder: string) {
    this.#qmp = qmp;
    this.#disks = disks;
    this.#path = join(folder, 'nbd');
  }

  /**
   * @throws UnsupportedError with QEMU's message, as for an image that another process has open;
   * EnvironmentError if the socket can't be reached
   */
  async connect(disk: number): Promise<Socket> {
    if (this.#open.size === 0)
      await this.#qmp.execute('nbd-server-start', { addr: { type: 'unix', data: { path: this.#path } } });
    if (!this.#open.has(disk)) {
      this.#open.add(disk);
      const name = exportOf(disk);
      const node = this.#disks[disk].nodeNow;
      await this.#qmp.execute('block-export-add', { type: 'nbd', id: name, 'node-name': node, writable: true, name });
    }
    const socket = world.sockets.connect(this.#path);
    try {
      await once(socket, 'connect');
    } catch (error) {
      throw networkError(error, 'reach the disks of QEMU');
    }
    return socket;
  }

  /** Ends the exports: QEMU itself uses the images when it loads its devices. */
  async close(): Promise<void> {
    for (const disk of this.#open) await this.#qmp.execute('block-export-del', { id: exportOf(disk), mode: 'hard' });
    if (this.#open.size > 0) await this.#qmp.execute('nbd-server-stop');
    this.#open.clear();
  }
}
