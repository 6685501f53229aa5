import type { Socket } from 'node:net';

/** Connections that have not shown yet that they are to be trusted. */
const MAX_STRANGERS = 64;

/**
 * Strangers in the order in which they came. Of too many the oldest from where most of them are has to go: a flood
 * shuts out nobody from elsewhere, and those from there not for long.
 */
export class Strangers {
  readonly #origins = new Map<Socket, string>();

  add(socket: Socket, origin: string): void {
    this.#origins.set(socket, origin);
    socket.once('close', () => this.#origins.delete(socket));
    if (this.#origins.size > MAX_STRANGERS) this.#dismissOne();
  }

  /** @returns whether it was one: false for a second time, and for one that had to go */
  delete(socket: Socket): boolean {
    return this.#origins.delete(socket);
  }

  clear(): void {
    for (const socket of this.#origins.keys()) socket.destroy();
  }

  #dismissOne(): void {
    const counts = new Map<string, number>();
    for (const origin of this.#origins.values()) counts.set(origin, (counts.get(origin) ?? 0) + 1);
    const most = Math.max(...counts.values());
    for (const [socket, origin] of this.#origins) {
      if (counts.get(origin) !== most) continue;
      this.#origins.delete(socket);
      socket.destroy();
      return;
    }
  }
}
