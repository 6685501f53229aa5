import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { EnvironmentError, InterruptedError } from '../../formats/errors.ts';
import { MIB } from '../../formats/units.ts';
import type { OnEvent } from './kept-machine.ts';
import { linesOf } from './lines.ts';
import { type ControlRequest, errorFromWire, parseReply } from './protocol.ts';
import { socketPath } from './socket-path.ts';

/** The longest reply is a report with a line for each pass or round. */
const REPLY_LIMIT = 64 * MIB;

/**
 * Has a running machine carry out a command. Aborting closes the connection, which cancels the command.
 * @param path of its control socket
 * @returns the result
 * @throws what the command failed of; EnvironmentError where no machine answers; InterruptedError
 */
export async function askMachine(path: string, request: Omit<ControlRequest, 'id'>, onEvent: OnEvent, signal: AbortSignal): Promise<Record<string, unknown>> {
  const socket = await reach(path);
  const close = () => socket.destroy();
  signal.addEventListener('abort', close);
  try {
    socket.write(`${JSON.stringify({ id: 1, ...request })}\n`);
    for await (const line of linesOf(socket, REPLY_LIMIT)) {
      const reply = parseReply(line);
      if ('event' in reply) {
        const { id: _, event, ...data } = reply;
        onEvent(event, data);
      } else if (reply.ok) return reply.result as Record<string, unknown>;
      else throw errorFromWire(reply.error);
    }
  } catch (error) {
    throw signal.aborted ? new InterruptedError() : error;
  } finally {
    signal.removeEventListener('abort', close);
    socket.destroy();
  }
  if (signal.aborted) throw new InterruptedError();
  throw new EnvironmentError('truncated', `Cannot ${request.command}: the machine closed the connection before it answered`);
}

function reach(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath(path));
    socket.once('connect', () => resolve(socket));
    socket.once('error', (error) => reject(unreachable(path, error)));
  });
}

/** Systems answer alike for a socket that nobody listens on and for what is no socket. */
function unreachable(path: string, error: NodeJS.ErrnoException): EnvironmentError {
  const there = statSync(path, { throwIfNoEntry: false });
  const why = !there
    ? `there is no control socket ${path}; \`savkit run --socket\` opens one`
    : !there.isSocket()
      ? `${path} is no control socket; \`savkit run --socket\` opens one`
      : error.code === 'ECONNREFUSED'
        ? `nobody answers at ${path}; it ended without removing its socket`
        : undefined;
  return why === undefined ? EnvironmentError.from(error, `reach machine at ${path}`) : new EnvironmentError('no-machine', `Cannot reach machine: ${why}`);
}
