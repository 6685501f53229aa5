import { once } from 'node:events';
import type { ListenOptions, Server } from 'node:net';

/** Has a server listen, at a path or a port, until it is closed. @throws errors of the system, such as EADDRINUSE */
export async function startListening(server: Server, where: ListenOptions): Promise<void> {
  await once(server.listen(where), 'listening');
  // The system could not take a connection; it may take the next one.
  server.on('error', () => {});
}
