import type { Socket } from 'node:net';
import { world } from '../../formats/world/world.ts';

/** The one connection that comes to a socket of this process. */
export interface OneConnection {
  readonly connection: Promise<Socket>;
  /** Listens no more. */
  close(): void;
}

/** Listens at a path for QEMU, which then connects. @throws errors of the system */
export async function awaitConnection(path: string): Promise<OneConnection> {
  let onConnection: (socket: Socket) => void = () => {};
  const connection = new Promise<Socket>((resolve) => {
    onConnection = resolve;
  });
  const listener = await world.sockets.listen(path, (socket) => onConnection(socket));
  return { connection, close: () => listener.close() };
}
