import { Readable } from 'node:stream';
import { EnvironmentError } from '../../errors.ts';
import { MIB } from '../../sizes.ts';
import { type ByteSource, streamSource } from '../source.ts';
import { badAnswer, bodyOf, type HttpOptions, type HttpPlace, httpPlace, request } from './http-request.ts';

/** Bytes in a request. */
const BLOCK = MIB;
/** Blocks that are kept: readers go back a little, and some look at the end of a file first. */
const KEPT_BLOCKS = 8;

/** Whether a path is the address of a file on a web server: `https://…`, `http://…`. */
export function isHttp(path: string): boolean {
  return /^https?:\/\//i.test(path);
}

/**
 * A file on a web server, fetched in ranges as it is read; from a server that knows no ranges, as a stream. The
 * validator of the first range shows whether the file has changed meanwhile (RFC 9110, 13.1.5).
 * @throws EnvironmentError `http-status`, `http-changed`, and codes of the network; UsageError for a bad address
 */
export async function openHttp(url: string, options: HttpOptions = {}): Promise<ByteSource> {
  const place = httpPlace(url, options);
  const { name } = place;
  const first = await request(place, { range: `bytes=0-${BLOCK - 1}` });
  if (first.status === 200) return streamSource(Readable.from(bodyOf(first, name)), name);
  const size = sizeOf(first);
  // For an empty file, servers answer 416 (no such range) with size 0.
  if (first.status === 416 && size === 0) return streamSource(Readable.from([]), name);
  if (first.status !== 206 || size === undefined) {
    await first.body?.cancel();
    throw badAnswer(name, `the server answers with status ${first.status}, and no size that a file can have`);
  }
  const file = new HttpFile(place, size, validatorOf(first));
  await file.keep(0, first);
  return file;
}

/** Size and time of a file on a server, as far as it tells. */
export async function httpFacts(
  url: string,
  options: HttpOptions = {},
): Promise<{ size: number | null; modified: string | null }> {
  const response = await request(httpPlace(url, options), {}, 'HEAD');
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
  readonly #place: HttpPlace;
  readonly #validator: string | undefined;
  /** Blocks by number, the least recently used one first. */
  readonly #blocks = new Map<number, Uint8Array>();

  constructor(place: HttpPlace, size: number, validator: string | undefined) {
    this.#place = place;
    this.name = place.name;
    this.size = size;
    this.#validator = validator;
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
    const response = await request(this.#place, {
      range: `bytes=${start}-${Math.min(start + BLOCK, this.size) - 1}`,
      ...(this.#validator === undefined ? {} : { 'if-range': this.#validator }),
    });
    return this.keep(number, response);
  }

  /** Takes the block that came with a response. */
  async keep(number: number, response: Response): Promise<Uint8Array> {
    const expected = Math.min(BLOCK, this.size - number * BLOCK);
    const start = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
    const validator = validatorOf(response);
    const isOther = validator !== undefined && this.#validator !== undefined && validator !== this.#validator;
    // Status 200 is the whole file in place of a range: the file has changed. Servers that ignore `if-range` are caught
    // by size and validator.
    if (response.status === 200 || sizeOf(response) !== this.size || isOther) {
      await response.body?.cancel();
      throw new EnvironmentError('http-changed', `Cannot read ${this.name}: it has changed while it was read`);
    }
    if (response.status !== 206 || Number(start) !== number * BLOCK) {
      await response.body?.cancel();
      throw badAnswer(this.name, 'the server answers with another range than was asked for');
    }
    const block = await bytesOf(response, expected, this.name);
    this.#blocks.set(number, block);
    const [oldest] = this.#blocks.keys();
    if (this.#blocks.size > KEPT_BLOCKS) this.#blocks.delete(oldest);
    return block;
  }
}

/** Reads the expected number of bytes, and takes no memory for more. */
async function bytesOf(response: Response, expected: number, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(expected);
  let done = 0;
  for await (const piece of bodyOf(response, name)) {
    if (done + piece.length > expected) throw badAnswer(name, 'the server sends more bytes than were asked for');
    bytes.set(piece, done);
    done += piece.length;
  }
  if (done < expected) throw badAnswer(name, 'the server sends less than it says');
  return bytes;
}

function sizeOf(response: Response): number | undefined {
  const size = Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** A strong validator: equal weak ones do not promise equal bytes. */
function validatorOf({ headers }: Response): string | undefined {
  const tag = headers.get('etag');
  return tag !== null && !tag.startsWith('W/') ? tag : (headers.get('last-modified') ?? undefined);
}
