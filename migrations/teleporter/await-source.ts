import { EnvironmentError } from '../../formats/errors.ts';
import { clock, sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import type { Endpoint } from '../trust/endpoint.ts';
import { Door } from './door.ts';
import type { Peer } from './peer.ts';
import { STATUS_NUMBERS } from './status.ts';
import { encodeReply, PASSWORD_LIMIT, PASSWORD_MS, passwordMatches, WELCOME } from './wire.ts';

/** Time for which VirtualBox's target waits for a source that knows the password. */
const DEFAULT_WAIT_MS = 5 * 60_000;
/** Random delay before a wrong password is answered. */
const DELAY_MS = { min: 64, max: 1024 };

const WRONG_PASSWORD = 'wrong password';

export interface AwaitOptions {
  password: string;
  /** Time from the start to an authenticated source, in ms; default five minutes. */
  waitMs?: number;
  signal?: AbortSignal;
  /** Called once connections can be made, with the port that was given for port 0. */
  onListening?: (at: Endpoint) => void;
  /** Called for each refused connection. */
  onRefused?: (from: string, why: string) => void;
}

/**
 * Listens until a source has connected and given the password. Takes one connection at a time, and no more afterwards.
 * @throws EnvironmentError `timed-out`, or when it can't listen; InterruptedError
 */
export async function awaitSource(endpoint: Endpoint, options: AwaitOptions): Promise<Peer> {
  const door = await Door.open(endpoint);
  options.onListening?.(door.endpoint);
  const deadline = clock() + (options.waitMs ?? DEFAULT_WAIT_MS);
  try {
    for (;;) {
      const peer = await door.next(deadline, options.signal);
      const why = await authenticate(peer, options.password).catch((error) => {
        peer.destroy();
        throw error;
      });
      if (why === undefined || why === WRONG_PASSWORD) door.noteGuess(why === undefined);
      if (why === undefined) return peer;
      options.onRefused?.(peer.name, why);
      await peer.close();
    }
  } finally {
    door.close();
  }
}

/** Welcomes a source and asks for the password. @returns the reason of a refusal, else undefined */
export async function authenticate(peer: Peer, password: string): Promise<string | undefined> {
  try {
    await peer.write(Buffer.from(`${WELCOME}\n`));
    const line = await peer.line(PASSWORD_LIMIT, { withinMs: PASSWORD_MS });
    if (!line) return 'it closed the connection';
    if (!line.ended || !passwordMatches(line.text, password)) {
      await sleep(world.chance.integer(DELAY_MS.min, DELAY_MS.max + 1));
      await peer.write(encodeReply({ ack: false, status: STATUS_NUMBERS.VERR_AUTHENTICATION_FAILURE, text: '' }));
      return WRONG_PASSWORD;
    }
    await peer.write(encodeReply({ ack: true }));
    return undefined;
  } catch (error) {
    if (error instanceof EnvironmentError) return error.message;
    throw error;
  }
}
