import { InterruptedError } from '../../formats/errors.ts';
import type { OutputOptions } from '../../formats/files/output-place.ts';
import { openScratchFile, type ScratchFile } from '../../formats/files/scratch-file.ts';
import { type ByteSink, type FileSink, openFileSink, type ReadableSink } from '../../formats/files/sink.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { MIB } from '../../formats/sizes.ts';
import { isOutputStream, type OutputStream, openOutputStream } from './output-stream.ts';
import { finishing, stop } from './stop.ts';

/** Result of writing an output, and whether to keep the output. */
export interface Written<T> {
  value: T;
  keep: boolean;
}

/** An output while it is written. */
export type Output = ReadableSink & { readonly fd: number };

/**
 * Opens an output file, or stdout for `-`, or a pipe. The file appears, or the stream gets its bytes, after `use` has
 * returned; an error leaves nothing behind.
 * @param stream writes directly to an output that is a stream; if it gives undefined, it has written nothing, and `use`
 * is called
 */
export function withOutput<T>(
  path: string,
  options: OutputOptions,
  use: (output: Output) => Promise<Written<T>>,
  stream?: (sink: ByteSink) => Promise<T | undefined>,
): Promise<T> {
  return finishing(writeOutput(path, options, use, stream));
}

async function writeOutput<T>(
  path: string,
  options: OutputOptions,
  use: (output: Output) => Promise<Written<T>>,
  stream: ((sink: ByteSink) => Promise<T | undefined>) | undefined,
): Promise<T> {
  const direct = await openOutputStream(path);
  const streamed = direct && (await closing(direct, stream));
  if (streamed !== undefined) return streamed;
  const sink = await sinkFor(direct, path, options);
  try {
    const { value, keep } = await use(sink);
    if (keep) await sink.commit();
    return value;
  } finally {
    await sink.abort();
  }
}

/** Closes a stream after `work`, unless its result asks to keep it open. */
async function closing<T>(
  direct: OutputStream,
  stream: ((sink: ByteSink) => Promise<T | undefined>) | undefined,
): Promise<T | undefined> {
  let isNeeded = false;
  try {
    const value = await stream?.(direct);
    isNeeded = value === undefined;
    return value;
  } finally {
    if (!isNeeded) await direct.close();
  }
}

/** @throws UsageError, EnvironmentError as `openFileSink` and `openOutputStream` do */
export async function openOutput(path: string, options: OutputOptions): Promise<FileSink> {
  return sinkFor(await openOutputStream(path), path, options);
}

async function sinkFor(stream: OutputStream | undefined, path: string, options: OutputOptions): Promise<FileSink> {
  return stream ? new StreamedFile(path, openScratchFile(), stream) : openFileSink(path, options);
}

/** To be called before long work: throws if the output could not be written at its end. @throws as `openOutput` does */
export async function tryOutput(path: string, options: OutputOptions): Promise<void> {
  if (!(await isOutputStream(path))) await tryFile(path, options);
}

/** As `tryOutput`, for an output that has to be a file. @throws as `openFileSink` does */
export async function tryFile(path: string, options: OutputOptions): Promise<void> {
  const sink = await openFileSink(path, options);
  await sink.abort();
}

/** A temporary file whose bytes are copied to a stream when it is complete. */
class StreamedFile extends WrittenFile implements FileSink {
  /** A stream keeps no file. */
  readonly isInPlace = false;
  readonly #file: ScratchFile;
  readonly #stream: OutputStream;

  constructor(name: string, file: ScratchFile, stream: OutputStream) {
    super(name, file.descriptor);
    this.#file = file;
    this.#stream = stream;
  }

  async sync(): Promise<void> {}

  async commit(): Promise<void> {
    const source = await this.readBack();
    const piece = new Uint8Array(MIB);
    for (let at = 0, count = 1; count > 0; at += count) {
      count = await source.read(piece, at);
      if (stop.signal.aborted) throw new InterruptedError();
      if (count > 0) await this.#stream.write(piece.subarray(0, count));
    }
    await this.abort();
  }

  async abort(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#file.close();
    await this.#stream.close();
  }
}
