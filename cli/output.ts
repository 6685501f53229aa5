import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type FileSink, openFileSink } from '../formats/binary/sink.ts';
import { EnvironmentError } from '../formats/errors.ts';
import { withTemporaryFile } from './input.ts';
import { byteOutput } from './terminal/print.ts';

/** What a writing has come to, and whether its output is to be kept. */
export interface Written<T> {
  value: T;
  keep: boolean;
}

/**
 * Opens an output file, or one that goes to stdout in the end for `-`. It appears when `use` has returned; after an error nothing of it stays.
 */
export async function withOutput<T>(path: string, force: boolean, use: (sink: FileSink) => Promise<Written<T>>): Promise<T> {
  if (path !== '-') return (await writeKept(path, force, use)).value;
  return withTemporaryFile(async (temporary) => {
    const { value, keep } = await writeKept(temporary, false, use);
    if (!keep) return value;
    try {
      await pipeline(createReadStream(temporary), byteOutput(), { end: false });
    } catch (error) {
      throw EnvironmentError.from(error, 'write to stdout');
    }
    return value;
  });
}

/** Says before long work what would keep an output file from being written at its end. @throws EnvironmentError as `openFileSink` does */
export async function tryOutput(path: string, force: boolean): Promise<void> {
  const sink = await openFileSink(path, { force });
  await sink.abort();
}

async function writeKept<T>(path: string, force: boolean, use: (sink: FileSink) => Promise<Written<T>>): Promise<Written<T>> {
  const sink = await openFileSink(path, { force });
  try {
    const written = await use(sink);
    if (written.keep) await sink.commit();
    else await sink.abort();
    return written;
  } catch (error) {
    await sink.abort();
    throw error;
  }
}
