import { chmodSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { EnvironmentError } from '../../formats/errors.ts';
import { startListening } from '../../migrations/wire/start-listening.ts';
import { ControlConnection } from './control-connection.ts';
import type { KeptMachine } from './kept-machine.ts';
import { HAS_PIPES, socketAddress } from './socket-path.ts';
import { removeStale } from './stale-socket.ts';

/** Clients at a time; one that has asked for nothing makes room for the next. */
export const MAX_CLIENTS = 32;
/** Owner only. */
const SOCKET_MODE = 0o600;

/** The control socket of a machine, open. */
export interface ControlServer {
  /** Cancels what is being carried out; those who asked get their answer. */
  cancelAll(): void;
  /** Closes it, cancels what is being carried out, and removes the socket. */
  close(): Promise<void>;
}

/**
 * Opens the control socket of a machine. @throws UsageError `bad-socket-path`; EnvironmentError `EADDRINUSE` where
 * another machine has it, and what the system says
 */
export async function openControlSocket(path: string, kept: KeptMachine): Promise<ControlServer> {
  const address = socketAddress(path);
  if (!HAS_PIPES) await removeStale(path);
  /** The one that has waited longest comes first. */
  const clients = new Set<ControlConnection>();
  // A client may end its side once it has asked, and still get its answers.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const client = new ControlConnection(socket, kept);
    socket.on('close', () => clients.delete(client));
    const idle =
      clients.size < MAX_CLIENTS
        ? undefined
        : [...clients].filter(({ isIdle }) => isIdle).sort((a, b) => a.idleSince - b.idleSince)[0];
    if (clients.size >= MAX_CLIENTS && !idle)
      return client.dismiss(`Cannot take more than ${MAX_CLIENTS} clients at once: all of them wait for something`);
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
      // The command that has ended the machine is still to be answered.
      await setImmediate();
      for (const client of clients) client.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/**
 * A socket is made with all permissions that the umask leaves: for the moment of its making it leaves none to others.
 * Pipes belong to their user.
 */
async function listen(server: Server, address: string): Promise<void> {
  const umask = HAS_PIPES ? undefined : process.umask(0o777 & ~SOCKET_MODE);
  const started = startListening(server, { path: address });
  if (umask !== undefined) process.umask(umask);
  await started;
  if (!HAS_PIPES) chmodSync(address, SOCKET_MODE);
}
