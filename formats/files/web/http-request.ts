import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { EnvironmentError, InterruptedError, UsageError } from '../../errors.ts';
import { SECRET_VARIABLES } from '../../world/secret-variables.ts';
import { after, sleep, stopTimer } from '../../world/waiting.ts';
import { addressName } from './address-name.ts';

export interface HttpOptions {
  /** Value of the header `authorization`, such as `Bearer …`. */
  authorization?: string | undefined;
  /** Gives further headers that sign a request with these headers. */
  sign?: (method: string, url: string, headers: Readonly<Record<string, string>>) => Record<string, string>;
  /** Name of the file in messages; by default `addressName` of its address. */
  name?: string;
  /** Ends requests that are under way. */
  signal?: AbortSignal;
}

/** An address on the web, with its options and a name that holds no secrets. */
export interface HttpPlace extends HttpOptions {
  readonly url: string;
  /** The address, without parts that may be secret. */
  readonly name: string;
}

const TRIES = 3;
const RETRY_MS = 500;
const SILENCE_MS = 60_000;
/** Values that a header can have (RFC 9110, 5.5). */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** @throws UsageError `bad-url`, and `bad-value` for an authorization that no header can hold */
export function httpPlace(given: string, options: HttpOptions): HttpPlace {
  if (!HEADER_VALUE.test(options.authorization ?? ''))
    throw new UsageError('bad-value', 'Cannot send the authorization: it has characters that no header may have');
  const bare = options.name ?? addressName(given);
  if (!URL.canParse(given)) throw new UsageError('bad-url', `Cannot read ${bare}: it is no address on the web`);
  const { username, password, href } = new URL(given);
  // Addresses appear in messages, journals and reports.
  if (username + password !== '')
    throw new UsageError(
      'bad-url',
      `Cannot read ${bare}: its address names a user; give that as ${SECRET_VARIABLES.httpAuthorization}, e.g. ` +
        "'Basic …'",
    );
  return { ...options, url: href, name: bare };
}

/** Sends a request; repeats it some times after failures that may pass. @throws EnvironmentError */
export async function request(
  { url, name, authorization, sign, signal }: HttpPlace,
  headers: Record<string, string>,
  method = 'GET',
): Promise<Response> {
  for (let tries = 1; ; tries++) {
    const silence = new AbortController();
    const timer = after(SILENCE_MS, () => silence.abort(silentServer(name)));
    const forget = countPreludes(() => silence.abort(badAnswer(name, 'the server announces answers without end')));
    try {
      const ends = [silence.signal, ...(signal ? [signal] : [])];
      const own: Record<string, string> = authorization === undefined ? {} : { authorization };
      // Ranges have to count bytes of the file, not of a compressed transfer.
      const all = { 'accept-encoding': 'identity', ...headers, ...own, ...sign?.(method, url, headers) };
      const redirect = sign ? 'manual' : 'follow';
      const response = await fetch(url, { method, headers: all, redirect, signal: AbortSignal.any(ends) });
      await expectSamePlace(response, { url, name, sign });
      if (response.ok || response.status === 416 || (method === 'HEAD' && response.status < 500)) return response;
      await response.body?.cancel();
      if (response.status < 500 || tries === TRIES)
        throw badAnswer(name, `the server answers with status ${response.status}`);
    } catch (error) {
      if (error instanceof EnvironmentError || signal?.aborted || tries === TRIES) throw networkError(error, name);
    } finally {
      stopTimer(timer);
      forget();
    }
    await sleep(RETRY_MS * tries, { signal });
  }
}

/** Maximum number of answers with a status below 200 before the one that counts. */
const MOST_PRELUDES = 100;
/** Channel on which Node's client publishes the head of each answer, also of those that it drops. */
const HEADS = 'undici:request:headers';

/**
 * Counts answers with a status below 200, of all requests side by side together, as servers hardly use such answers.
 * @returns a function that ends the counting
 */
function countPreludes(tooMany: () => void): () => void {
  let preludes = 0;
  const onHead = (message: unknown) => {
    const { response } = message as { response: { statusCode: number } };
    if (response.statusCode < 200 && ++preludes === MOST_PRELUDES) tooMany();
  };
  subscribe(HEADS, onHead);
  return () => void unsubscribe(HEADS, onHead);
}

/**
 * Refuses redirects that would pass a signature to another server, or lead from TLS to plain HTTP. @throws
 * EnvironmentError
 */
async function expectSamePlace(
  { status, url: found, body }: Response,
  { url, name, sign }: Pick<HttpPlace, 'url' | 'name' | 'sign'>,
): Promise<void> {
  const leadsElsewhere = sign !== undefined && status >= 300 && status < 400;
  if (!leadsElsewhere && (!url.startsWith('https:') || found.startsWith('https:'))) return;
  await body?.cancel();
  throw badAnswer(
    name,
    leadsElsewhere
      ? `the server redirects to another place (status ${status}): is the region, or the address, wrong?`
      : 'the server redirects to a place without encryption',
  );
}

/** The body of a response; it may take any time, but the server must not fall silent. @throws EnvironmentError */
export async function* bodyOf(response: Response, name: string): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const piece = await nextPiece(reader, name);
      if (piece === undefined) return;
      yield piece;
    }
  } finally {
    await reader?.cancel().catch(() => {});
  }
}

async function nextPiece(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  name: string,
): Promise<Uint8Array | undefined> {
  let timer: ReturnType<typeof after> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = after(SILENCE_MS, () => reject(silentServer(name)));
  });
  try {
    return (await Promise.race([reader?.read(), silence]))?.value;
  } catch (error) {
    throw networkError(error, name);
  } finally {
    stopTimer(timer);
  }
}

export function badAnswer(name: string, why: string): EnvironmentError {
  return new EnvironmentError('http-status', `Cannot read ${name}: ${why}`);
}

function silentServer(name: string): EnvironmentError {
  return badAnswer(name, `the server has sent nothing for ${SILENCE_MS / 1000} s`);
}

/** Errors of Node's HTTP client in plain words, by code. */
const WORDS: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: 'the server has ended the connection too early',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the server sends another number of bytes than it says',
  UND_ERR_HEADERS_OVERFLOW: 'the head of its answer is too long',
};

function networkError(error: unknown, name: string): EnvironmentError | InterruptedError {
  if (error instanceof EnvironmentError || error instanceof InterruptedError) return error;
  // An aborted fetch rejects with a DOMException, whose code is a number.
  if ((error as Error).name === 'AbortError') return new InterruptedError();
  const { cause } = error as Error;
  const source = cause instanceof Error ? cause : (error as Error);
  const { code = '' } = source as NodeJS.ErrnoException;
  const words = code.startsWith('HPE_') ? 'the server does not speak HTTP' : WORDS[code];
  return words === undefined ? EnvironmentError.from(source, `read ${name}`) : badAnswer(name, words);
}
