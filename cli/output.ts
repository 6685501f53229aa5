import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type FileSink, openFileSink } from '../formats/binary/sink.ts';
import { EnvironmentError } from '../formats/errors.ts';
import { withTemporaryFile } from './input.ts';

/**
 * Opens an output file, or one that goes to stdout in the end for `-`. It appears when `use` has returned; after an error nothing of it stays.
 */
export async function withOutput<T>(path: string, force: boolean, use: (sink: FileSink) => Promise<T>): Promise<T> {
  if (path !== '-') return writeFile(path, force, use);
  return withTemporaryFile(async (temporary) => {
    const value = await writeFile(temporary, false, use);
    try {
      await pipeline(createReadStream(temporary), process.stdout, { end: false });
    } catch (error) {
      throw EnvironmentError.from(error, 'write to stdout');
    }
    return value;
  });
}

async function writeFile<T>(path: string, force: boolean, use: (sink: FileSink) => Promise<T>): Promise<T> {
  const sink = await openFileSink(path, { force });
  try {
    const value = await use(sink);
    await sink.commit();
    return value;
  } catch (error) {
    await sink.abort();
    throw error;
  }
}
