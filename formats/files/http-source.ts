import { Readable } from 'node:stream';
import { EnvironmentError } from '../errors.ts';
import { MIB } from '../sizes.ts';
import { sleep } from '../world/waiting.ts';
import { type ByteSource, streamSource } from './source.ts';

export interface HttpOptions {
  /** Value of the header of that name, such as `Bearer …`. */
  authorization?: string | undefined;
  /** Ends requests that are under way. */
  signal?: AbortSignal;
}

/** A server is asked for so much at once. */
const BLOCK = MIB;
/** Blocks that are kept: readers go back a little, and some look at the end of a file first. */
const KEPT_BLOCKS = 8;
const TRIES = 3;
const RETRY_MS = 500;
const SILENCE_MS = 60_000;

/** Whether a path is to be fetched: `https://…`, `http://…`. */
export function isUrl(path: string): boolean {
  return /^https?:\/\//i.test(path);
}

/**
 * A file on a web server, fetched in ranges as it is read; from a server that knows no ranges, as a stream. What was
 * changed meanwhile is noticed by the validator that came with the first range (RFC 9110, 13.1.5).
 * @throws EnvironmentError `http-status`, `http-changed`, and what the network gives
 */
export async function openHttp(url: string, options: HttpOptions = {}): Promise<ByteSource> {
  const name = nameOf(url);
  const first = await request(url, name, options, { range: `bytes=0-${BLOCK - 1}` });
  if (first.status === 200) return streamSource(Readable.fromWeb(first.body as never), name);
  const size = sizeOf(first);
  // An empty file has no range that could be given; the server tells its size.
  if (first.status === 416 && size === 0) return streamSource(Readable.from([]), name);
  if (first.status !== 206 || size === undefined) throw badStatus(name, first.status);
  const validator = validatorOf(first);
  const file = new HttpFile(url, name, size, validator, options);
  await file.keep(0, first);
  return file;
}

/** Size and time of a file on a server, as far as it tells. */
export async function httpFacts(
  url: string,
  options: HttpOptions = {},
): Promise<{ size: number | null; modified: string | null }> {
  const response = await request(url, nameOf(url), options, {}, 'HEAD');
  const size = Number(response.headers.get('content-length') ?? Number.NaN);
  const modified = new Date(response.headers.get('last-modified') ?? Number.NaN);
  return {
    size: response.ok && Number.isSafeInteger(size) ? size : null,
    modified: response.ok && !Number.isNaN(modified.getTime()) ? modified.toISOString() : null,
  };
}

class HttpFile implements ByteSource {
  readonly seekable = true;
  readonly name: string;
  readonly size: number;
  readonly #url: string;
  readonly #validator: string | undefined;
  readonly #options: HttpOptions;
  /** By number; the one that was used last stands last. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(url: string, name: string, size: number, validator: string | undefined, options: HttpOptions) {
    this.#url = url;
    this.name = name;
    this.size = size;
    this.#validator = validator;
    this.#options = options;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < target.length && position + done < this.size) {
      const at = position + done;
      const block = await this.#block(Math.floor(at / BLOCK));
      const part = block.subarray(at % BLOCK, (at % BLOCK) + target.length - done);
      target.set(part, done);
      done += part.length;
    }
    return done;
  }

  async close(): Promise<void> {
    this.#blocks.clear();
  }

  async #block(number: number): Promise<Uint8Array> {
    const kept = this.#blocks.get(number);
    if (kept) {
      this.#blocks.delete(number);
      this.#blocks.set(number, kept);
      return kept;
    }
    const start = number * BLOCK;
    const response = await request(this.#url, this.name, this.#options, {
      range: `bytes=${start}-${Math.min(start + BLOCK, this.size) - 1}`,
      ...(this.#validator === undefined ? {} : { 'if-range': this.#validator }),
    });
    return this.keep(number, response);
  }

  /** Takes the block that came with a response. */
  async keep(number: number, response: Response): Promise<Uint8Array> {
    const expected = Math.min(BLOCK, this.size - number * BLOCK);
    const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
    // The whole file in place of a range: it is another one by now.
    if (response.status === 200 || sizeOf(response) !== this.size) {
      await response.body?.cancel();
      throw new EnvironmentError('http-changed', `Cannot read ${this.name}: it has changed while it was read`);
    }
    if (response.status !== 206 || Number(start) !== number * BLOCK) throw badStatus(this.name, response.status);
    const block = await bytesOf(response, expected, this.name);
    this.#blocks.set(number, block);
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(oldest);
    return block;
  }
}

/** As many bytes as were asked for, and no memory for more. */
async function bytesOf(response: Response, expected: number, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(expected);
  let done = 0;
  try {
    for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
      if (done + piece.length > expected) throw badStatus(name, response.status);
      bytes.set(piece, done);
      done += piece.length;
    }
  } catch (error) {
    throw networkError(error, name);
  }
  if (done < expected)
    throw new EnvironmentError('http-status', `Cannot read ${name}: the server sends less than it says`);
  return bytes;
}

async function request(
  url: string,
  name: string,
  { authorization, signal }: HttpOptions,
  headers: Record<string, string>,
  method = 'GET',
): Promise<Response> {
  for (let tries = 1; ; tries++) {
    try {
      const ends = [AbortSignal.timeout(SILENCE_MS), ...(signal ? [signal] : [])];
      const own: Record<string, string> = authorization === undefined ? {} : { authorization };
      // Ranges are of the file itself, and never of a packed form that only the connection has.
      const all = { 'accept-encoding': 'identity', ...headers, ...own };
      const response = await fetch(url, { method, headers: all, signal: AbortSignal.any(ends) });
      if (response.ok || response.status === 416 || response.status < 500) {
        if (response.ok || response.status === 416 || method === 'HEAD') return response;
        throw badStatus(name, response.status);
      }
      if (tries === TRIES) throw badStatus(name, response.status);
      await response.body?.cancel();
    } catch (error) {
      if (error instanceof EnvironmentError || signal?.aborted || tries === TRIES) throw networkError(error, name);
    }
    await sleep(RETRY_MS * tries, { signal });
  }
}

function badStatus(name: string, status: number): EnvironmentError {
  return new EnvironmentError('http-status', `Cannot read ${name}: the server answers with status ${status}`);
}

function networkError(error: unknown, name: string): EnvironmentError {
  if (error instanceof EnvironmentError) return error;
  const { cause } = error as Error;
  return EnvironmentError.from(cause instanceof Error ? cause : error, `read ${name}`);
}

function sizeOf(response: Response): number | undefined {
  const size = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** A strong one: a weak one says that a file means the same, not that it has the same bytes. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get('etag');
  return tag !== null && !tag.startsWith('W/') ? tag : (headers.get('last-modified') ?? undefined);
}

/** Without what may be secret: the user, and the query, which signs some links. */
function nameOf(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
