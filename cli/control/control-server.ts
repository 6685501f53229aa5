import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { EnvironmentError } from '../../formats/errors.ts';
import { startListening } from '../../formats/world/start-listening.ts';
import { ControlConnection } from './control-connection.ts';
import type { KeptMachine } from './kept-machine.ts';
import { HAS_PIPES, socketAddress } from './socket-path.ts';
import { removeStale } from './stale-socket.ts';

/** Maximum number of clients at a time; one without a request makes room for the next. */
export const MAX_CLIENTS = 32;
/** Access for the owner only. */
const SOCKET_MODE = 0o600;

/** The open control socket of a machine. */
export interface ControlServer {
  /** Cancels all running commands; their clients get answers. */
  cancelAll(): void;
  /** Cancels all running commands, closes the socket and removes it. */
  close(): Promise<void>;
}

/**
 * Opens the control socket of a machine. @throws UsageError `bad-socket-path`; EnvironmentError `EADDRINUSE` if another
 * machine has the socket, and for errors of the system
 */
export async function openControlSocket(path: string, kept: KeptMachine): Promise<ControlServer> {
  const address = socketAddress(path);
  if (!HAS_PIPES) await removeStale(path);
  /** Clients in the order of their connections. */
  const clients = new Set<ControlConnection>();
  // A client may end its side after its request, and still gets the answers.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const client = new ControlConnection(socket, kept);
    socket.on('close', () => clients.delete(client));
    const idle =
      clients.size < MAX_CLIENTS
        ? undefined
        : [...clients].filter(({ isIdle }) => isIdle).sort((a, b) => a.idleSince - b.idleSince)[0];
    if (clients.size >= MAX_CLIENTS && !idle)
      return client.dismiss(`Cannot take more than ${MAX_CLIENTS} clients at once: each of them waits for an answer`);
    if (idle) clients.delete(idle);
    idle?.dismiss('Cannot keep the connection: it sent no request, and others are waiting');
    clients.add(client);
    void client.serve();
  });
  await listen(server, address).catch((error) => {
    server.close();
    throw EnvironmentError.from(error, `open control socket ${path}`);
  });
  return {
    cancelAll: () => {
      for (const client of clients) client.cancel();
    },
    close: async () => {
      // The command that ended the machine must be answered first.
      await setImmediate();
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/**
 * Opens the socket. It gets all permissions that the umask leaves, so the umask leaves none to others meanwhile. Pipes
 * of Windows belong to their user.
 */
async function listen(server: Server, address: string): Promise<void> {
  const umask = HAS_PIPES ? undefined : process.umask(0o777 & ~SOCKET_MODE);
  const started = startListening(server, { path: address });
  if (umask !== undefined) process.umask(umask);
  await started;
  if (!HAS_PIPES) chmodSync(address, SOCKET_MODE);
}
