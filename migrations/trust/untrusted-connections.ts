import type { Socket } from 'node:net';

/** Maximum number of connections that have not yet proved to be trustworthy. */
const MAX_UNTRUSTED = 64;

/**
 * Untrusted connections in the order of their arrival. If there are too many, the oldest from the most frequent address
 * is closed: a flood shuts out nobody from elsewhere, and others from its address only for a short time.
 */
export class UntrustedConnections {
  readonly #origins = new Map<Socket, string>();

  add(socket: Socket, origin: string): void {
    this.#origins.set(socket, origin);
    socket.once('close', () => this.#origins.delete(socket));
    if (this.#origins.size > MAX_UNTRUSTED) this.#dismissOne();
  }

  /** @returns whether the connection was in the list: false a second time, and after it was closed */
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
