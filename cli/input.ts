import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ByteSource, openFile, streamSource } from '../formats/binary/source.ts';
import { EnvironmentError, FormatError, InterruptedError } from '../formats/errors.ts';

/** Opens a file, or stdin for `-`; closes it in any case. */
export async function withInput<T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = file === '-' ? streamSource(process.stdin) : await openFile(file);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

/** The same for what has to be read more than once: stdin, or a pipe, goes to a temporary file first. */
async function withSeekableInput<T>(file: string, signal: AbortSignal, use: (source: ByteSource) => Promise<T>): Promise<T> {
  if (file !== '-') return withInput(file, use);
  return withTemporaryFile(async (path) => {
    try {
      await pipeline(process.stdin, createWriteStream(path, { mode: 0o600 }), { signal });
    } catch (error) {
      throw signal.aborted ? new InterruptedError() : EnvironmentError.from(error, 'keep stdin in a temporary file');
    }
    return withInput(path, use);
  });
}

/** The input of a job that reads more than once. */
export function withSource<T>({ file, signal }: { file: string; signal: AbortSignal }, use: (source: ByteSource) => Promise<T>): Promise<T> {
  return withSeekableInput(file, signal, use);
}

/** Gives a path in a folder that only the user can read, and removes the folder afterwards. */
export async function withTemporaryFile<T>(use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'savkit-'));
  try {
    return await use(join(folder, 'data'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The bytes of a file, or a pipe, that has to be small. @throws FormatError `too-long` beyond `limit` bytes, EnvironmentError */
export async function readSmallFile(path: string, limit: number): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let size = 0;
  try {
    for await (const piece of createReadStream(path)) {
      size += piece.length;
      // Not before: pipes and devices do not say how much there is.
      if (size > limit) throw new FormatError('too-long', `Cannot read ${path}: it has more than ${limit} bytes`);
      pieces.push(piece);
    }
  } catch (error) {
    throw error instanceof FormatError ? error : EnvironmentError.from(error, `read ${path}`);
  }
  return Buffer.concat(pieces);
}

/** A line that is longer is cut: a text has none. */
const MAX_LINE = 64 * 1024;

/** Gives the lines of a text, or stdin for `-`, in UTF-8 or, as PowerShell writes it, UTF-16; holds one line at most. @throws EnvironmentError */
export async function readLines(path: string, take: (line: string) => void): Promise<void> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let rest = '';
  try {
    for await (const piece of path === '-' ? process.stdin : createReadStream(path)) {
      decoder ??= new TextDecoder(piece[0] === 0xff && piece[1] === 0xfe ? 'utf-16le' : 'utf-8');
      const lines = `${rest}${decoder.decode(piece, { stream: true })}`.split('\n');
      rest = lines.pop()?.slice(0, MAX_LINE) ?? '';
      for (const line of lines) take(line);
    }
  } catch (error) {
    throw EnvironmentError.from(error, `read ${path}`);
  }
  if (rest !== '') take(rest);
}
