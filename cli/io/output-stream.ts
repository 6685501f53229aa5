import { type BigIntStats, constants, createWriteStream, fstatSync, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { whenAborted } from '../../formats/aborting.ts';
import { EnvironmentError, InterruptedError, UsageError } from '../../formats/errors.ts';
import { type ByteSink, streamSink } from '../../formats/files/sink.ts';
import { nameOfHeldFile } from '../../formats/locks/held-files.ts';
import { byteOutput } from '../terminal/print.ts';
import { descriptorOf } from './descriptor-paths.ts';
import { expectStdout } from './expect-stdout.ts';
import { stop } from './stop.ts';

/** An output that takes bytes front to back only: stdout, a pipe, a device. */
export interface OutputStream extends ByteSink {
  /** Waits until all bytes are written. */
  close(): Promise<void>;
}

/** Interval in milliseconds at which a pipe is checked for a reader. */
const READER_POLL = 50;

/**
 * Opens an output that is no regular file: `-`, a pipe, a character device, or a descriptor that the shell has opened
 * (`/dev/stdout`, `/dev/fd/3`, `>(command)`).
 * @returns undefined for all other outputs
 * @throws UsageError `same-file` if it is the input; EnvironmentError
 */
export async function openOutputStream(path: string): Promise<OutputStream | undefined> {
  const name = path === '-' ? 'stdout' : path;
  try {
    const found = await findStream(path);
    if (!found) return undefined;
    const { fd, there } = found;
    checkNotInput(name, there);
    if (fd === 1) expectStdout();
    if (fd === 1) return { ...streamSink(byteOutput(), name), close: async () => {} };
    return closable(toWritable(fd ?? (await openForWriting(path, there)), there), name);
  } catch (error) {
    throw error instanceof UsageError || error instanceof InterruptedError || error instanceof EnvironmentError
      ? error
      : EnvironmentError.from(error, `write ${name}`);
  }
}

/** Whether `openOutputStream` would open the path. */
export async function isOutputStream(path: string): Promise<boolean> {
  return (await findStream(path).catch(() => undefined)) !== undefined;
}

async function findStream(path: string): Promise<{ fd: number | undefined; there: BigIntStats } | undefined> {
  const fd = path === '-' ? 1 : await descriptorOf(path);
  if (fd !== undefined) return { fd, there: fstatSync(fd, { bigint: true }) };
  const there = await stat(path, { bigint: true }).catch(() => undefined);
  return there?.isFIFO() || there?.isCharacterDevice() ? { fd, there } : undefined;
}

/**
 * Refuses the input as output: bytes appended to it would be read again without end, and a pipe would wait for itself.
 */
function checkNotInput(name: string, there: BigIntStats): void {
  const input = there.isFile() || there.isFIFO() ? nameOfHeldFile(there) : undefined;
  if (input !== undefined)
    throw new UsageError('same-file', `Cannot write ${name}: it is the same file as the input ${input}`);
}

/** Opens a pipe without blocking until it has a reader, since no signal could end that wait. */
async function openForWriting(path: string, there: BigIntStats): Promise<number> {
  if (!there.isFIFO()) return openSync(path, 'w');
  for (;;) {
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await setTimeout(READER_POLL, undefined, { signal: stop.signal }).catch(() => {
      throw new InterruptedError();
    });
  }
}

function toWritable(fd: number, there: BigIntStats): Writable {
  return there.isFIFO() || there.isSocket()
    ? new Socket({ fd, readable: false, writable: true })
    : createWriteStream('', { fd });
}

function closable(stream: Writable, name: string): OutputStream {
  // Errors reach the caller by the write that fails.
  stream.on('error', () => {});
  const forget = whenAborted(stop.signal, () => stream.destroy(new InterruptedError()));
  const sink = streamSink(stream, name);
  return {
    write: (bytes) => sink.write(bytes),
    close: () =>
      new Promise((done) => {
        forget();
        stream.once('close', done);
        if (stream.destroyed) done();
        else stream.end();
      }),
  };
}
