import { once } from 'node:events';
import type { ListenOptions, Server } from 'node:net';

/** Has a server listen, at a path or a port, until it is closed. @throws errors of the system, such as EADDRINUSE */
export async function startListening(server: Server, where: ListenOptions): Promise<void> {
  await once(server.listen(where), 'listening');
  // A connection that the system could not take: whoever comes next may be taken.
  server.on('error', () => {});
}
