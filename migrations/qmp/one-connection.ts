import type { Socket } from 'node:net';
import { EnvironmentError } from '../../formats/errors.ts';
import type { Listener } from '../../formats/world/sockets.ts';
import { world } from '../../formats/world/world.ts';

/** The one connection that comes to a socket of this process. */
export interface OneConnection {
  readonly connection: Promise<Socket>;
  /** Listens no more. */
  close(): void;
}

/** Listens at a path for QEMU, which then connects. @throws EnvironmentError */
export async function awaitConnection(path: string): Promise<OneConnection> {
  let onConnection: (socket: Socket) => void = () => {};
  const connection = new Promise<Socket>((resolve) => {
    onConnection = resolve;
  });
  const listener = await listenAt(path, (socket) => onConnection(socket));
  return { connection, close: () => listener.close() };
}

/** Listens at a path of savkit's own. @throws EnvironmentError */
export async function listenAt(path: string, onConnection: (socket: Socket) => void): Promise<Listener> {
  try {
    return await world.sockets.listen(path, onConnection);
  } catch (cause) {
    throw EnvironmentError.from(cause, `listen at ${path}`);
  }
}
