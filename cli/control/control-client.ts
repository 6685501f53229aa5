import { statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { EnvironmentError, InterruptedError, SavkitError } from '../../formats/errors.ts';
import { MIB } from '../../formats/sizes.ts';
import { checkShape } from '../../formats/values/shape.ts';
import { expectNoStranger } from './expect-no-stranger.ts';
import { linesOf } from './lines.ts';
import { BEAT, BEAT_MS, badReply, CANCEL_LINE, errorFromWire, parseReply } from './protocol.ts';
import { type EventOf, eventShape, type ResultOf, resultShape } from './replies.ts';
import type { ControlCommand, RequestOf } from './requests.ts';
import { socketAddress } from './socket-path.ts';

/** The longest reply is a report with a line for each pass or round. */
const REPLY_LIMIT = 64 * MIB;
/** A process that is silent for so long hangs, as it would at least send its sign of life. */
const SILENCE_MS = 8 * BEAT_MS;
/** Commands that write a file or move a machine: the client asks for their outcome even after it cancelled them. */
const WITH_OUTCOME: readonly ControlCommand[] = ['save', 'live-save', 'migrate', 'teleport'];
/** Time in which a cancelled command has to tell its outcome. */
const CANCEL_MS = 5000;
/** Commands that are answered at once; all others send signs of life until they end. */
const ANSWERED_AT_ONCE: readonly ControlCommand[] = ['status'];

/**
 * Has a running machine carry out a command. Aborting cancels the command; if that was too late, its result is
 * returned all the same.
 * @param path of the machine's control socket
 * @param silenceMs ms without a sign of life until the machine's process counts as hung
 * @returns the result
 * @throws the command's error; EnvironmentError if no machine answers, or with an invalid answer; InterruptedError
 */
export async function askMachine<C extends ControlCommand>(
  path: string,
  request: { command: C } & Partial<RequestOf<C>>,
  onEvent: (event: EventOf<C>) => void,
  signal: AbortSignal,
  silenceMs = SILENCE_MS,
): Promise<ResultOf<C>> {
  const words = new EnvironmentError(
    'no-answer',
    `Cannot carry out ${request.command}: the process of the machine at ${path} does not answer; it hangs, or ` +
      'is stopped',
  );
  const address = socketAddress(path);
  if (signal.aborted) throw new InterruptedError();
  try {
    expectNoStranger(path);
  } catch (error) {
    throw error instanceof SavkitError ? error : unreachable(path, error as NodeJS.ErrnoException);
  }
  let silent = false;
  const socket = connect(address);
  const timer = setTimeout(() => {
    silent = true;
    socket.destroy();
  }, silenceMs);
  let patience: NodeJS.Timeout | undefined;
  const cancel = () => {
    if (socket.connecting || !WITH_OUTCOME.includes(request.command)) return void socket.destroy();
    socket.write(`${CANCEL_LINE}\n`);
    patience = setTimeout(() => socket.destroy(), CANCEL_MS);
  };
  signal.addEventListener('abort', cancel);
  try {
    await connected(socket, path);
    if (signal.aborted) throw new InterruptedError();
    socket.write(`${JSON.stringify({ id: 1, ...request })}\n`);
    for await (const line of linesOf(socket, REPLY_LIMIT)) {
      if (!ANSWERED_AT_ONCE.includes(request.command)) timer.refresh();
      const reply = parseReply(line);
      if ('event' in reply) {
        const { event, data } = reply;
        const shape = event === BEAT ? undefined : eventShape(request.command, event);
        if (shape) onEvent(checkShape(data, shape, (why) => badReply(`of ${event}, ${why}`)));
      } else if (reply.ok) return checkShape(reply.result, resultShape(request.command), badReply);
      else throw errorFromWire(reply.error);
    }
    throw new EnvironmentError(
      'truncated',
      `Cannot carry out ${request.command}: the machine closed the connection before it answered`,
    );
  } catch (error) {
    if (signal.aborted) throw interrupted(error, patience !== undefined);
    if (silent) throw words;
    throw wordsFor(error, request.command);
  } finally {
    clearTimeout(timer);
    clearTimeout(patience);
    signal.removeEventListener('abort', cancel);
    socket.destroy();
  }
}

/** @param wasAsked whether the process was asked how the cancelled command has ended */
function interrupted(error: unknown, wasAsked: boolean): InterruptedError {
  if (error instanceof InterruptedError) return error;
  const interruption = new InterruptedError();
  if (wasAsked) interruption.message += '; the process of the machine did not tell how the command has ended';
  return interruption;
}

/**
 * Puts an error of the connection into words: a killed process may have left bytes unread, which ends it with an error
 * of the system.
 */
function wordsFor(error: unknown, command: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === 'too-long') return badReply('a line of it is too long');
  if (error instanceof SavkitError || syscall === undefined) return error;
  return new EnvironmentError(
    'truncated',
    `Cannot carry out ${command}: the process of the machine has ended before it answered`,
  );
}

function connected(socket: Socket, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (error) => reject(unreachable(path, error)));
    socket.once('close', () =>
      reject(new EnvironmentError('truncated', `Cannot reach machine at ${path}: it closed the connection`)),
    );
  });
}

/**
 * The error for a path at which no machine answers. Systems do not distinguish a socket on which nobody listens from a
 * file that is no socket.
 */
function unreachable(path: string, error: NodeJS.ErrnoException): EnvironmentError {
  const there = statSync(path, { throwIfNoEntry: false });
  const why = !there
    ? `there is no control socket ${path}; \`savkit run --socket\` opens one`
    : !there.isSocket()
      ? `${path} is no control socket; \`savkit run --socket\` opens one`
      : error.code === 'ECONNREFUSED'
        ? `nobody answers at ${path}; it ended without removing its socket`
        : error.code === 'EAGAIN'
          ? `${path} takes no connections; its process hangs, or is stopped`
          : undefined;
  return why === undefined
    ? EnvironmentError.from(error, `reach machine at ${path}`)
    : new EnvironmentError('no-machine', `Cannot reach machine: ${why}`);
}
