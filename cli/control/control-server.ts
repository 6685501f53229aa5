import { chmodSync } from 'node:fs';
import { lstat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { EnvironmentError } from '../../formats/errors.ts';
import type { KeptMachine } from './kept-machine.ts';
import { linesOf } from './lines.ts';
import { OPERATIONS } from './operations.ts';
import { errorToWire, LINE_LIMIT, parseRequest } from './protocol.ts';
import { socketPath } from './socket-path.ts';

const MAX_CONNECTIONS = 32;
/** Bytes that wait for a client to read them. */
const UNREAD_LIMIT = 256 * 1024;
/** Owner only. */
const SOCKET_MODE = 0o600;

/** The control socket of a machine, open. */
export interface ControlServer {
  /** Cancels what is being carried out; those who asked get their answer. */
  cancelAll(): void;
  /** Closes it, cancels what is being carried out, and removes the socket. */
  close(): Promise<void>;
}

/** Opens the control socket of a machine. @throws EnvironmentError `EADDRINUSE` where another machine has it, and what the system says */
export async function openControlSocket(path: string, kept: KeptMachine): Promise<ControlServer> {
  await removeStale(path);
  const sockets = new Set<Socket>();
  const underWay = new Set<AbortController>();
  // A client may end its side once it has asked, and still get its answers.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    // A client that is gone needs no answer.
    socket.on('error', () => socket.destroy());
    serve(socket, kept, underWay).catch(() => socket.destroy());
  });
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, path);
  return {
    cancelAll: () => {
      for (const abort of underWay) abort.abort();
    },
    close: async () => {
      // The command that has ended the machine is still to be answered.
      await setImmediate();
      for (const socket of sockets) socket.destroySoon();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** A socket is made with all permissions that the umask leaves: for the moment of its making it leaves none to others. */
async function listen(server: Server, path: string): Promise<void> {
  const umask = process.umask(0o777 & ~SOCKET_MODE);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socketPath(path), resolve);
      process.umask(umask);
    });
    chmodSync(path, SOCKET_MODE);
  } catch (error) {
    throw EnvironmentError.from(error, `open control socket ${path}`);
  } finally {
    process.umask(umask);
  }
}

/** What a machine that was killed has left behind. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (!found) return;
  if (!found.isSocket()) throw new EnvironmentError('EEXIST', `Cannot open control socket ${path}: there is a file of that name`);
  if (await answers(path)) throw new EnvironmentError('EADDRINUSE', `Cannot open control socket ${path}: another machine has it`);
  await unlink(path).catch(() => {});
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath(path), () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

async function serve(socket: Socket, kept: KeptMachine, underWay: Set<AbortController>): Promise<void> {
  const send = (id: unknown, reply: object) => {
    // Events are left out for who does not read them.
    if (socket.destroyed || ('event' in reply && socket.writableLength > UNREAD_LIMIT)) return;
    socket.write(`${JSON.stringify({ id, ...reply })}\n`);
  };
  try {
    for await (const line of linesOf(socket, LINE_LIMIT)) {
      const abort = new AbortController();
      const cancel = () => abort.abort();
      socket.once('close', cancel);
      underWay.add(abort);
      if (socket.destroyed) cancel();
      await carryOut(line, kept, send, abort.signal);
      underWay.delete(abort);
      socket.off('close', cancel);
    }
  } catch (error) {
    send(null, { ok: false, error: errorToWire(error) });
  }
  socket.destroySoon();
}

async function carryOut(line: string, kept: KeptMachine, send: (id: unknown, reply: object) => void, signal: AbortSignal): Promise<void> {
  let id: number | null = null;
  try {
    const request = parseRequest(line);
    id = request.id;
    const result = await OPERATIONS[request.command](kept, request, (event, data) => send(id, { event, ...data }), signal);
    send(id, { ok: true, result });
  } catch (error) {
    send(id, { ok: false, error: errorToWire(error) });
  }
}
