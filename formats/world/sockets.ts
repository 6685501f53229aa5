import { connect, createServer, type Socket } from 'node:net';
import { startListening } from './start-listening.ts';

/** Something that listens. */
export interface Listener {
  /** Takes no further connections; those that are there go on. */
  close(): void;
}

/** Sockets of this host, by their paths. */
export interface Sockets {
  /** @returns a socket that tells by `connect` or `error` how it went */
  connect(path: string): Socket;
  /** Listens at a path. @throws errors of the system, such as EADDRINUSE */
  listen(path: string, onConnection: (socket: Socket) => void): Promise<Listener>;
}

export const REAL_SOCKETS: Sockets = {
  connect: (path) => connect({ path }),
  async listen(path, onConnection) {
    const server = createServer(onConnection);
    await startListening(server, { path });
    return server;
  },
};
