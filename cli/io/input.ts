import { existsSync, fstatSync, statSync } from 'node:fs';
import { unlessAborted, whenAborted } from '../../formats/aborting.ts';
import { FormatError, InterruptedError } from '../../formats/errors.ts';
import { openScratchFile } from '../../formats/files/scratch-file.ts';
import {
  type ByteSource,
  chunksOf,
  openFile,
  type RamFile,
  sharedFile,
  streamSource,
  withBeside,
} from '../../formats/files/source.ts';
import { WrittenFile } from '../../formats/files/written-file.ts';
import { holdFile } from '../../formats/locks/held-files.ts';
import { MIB } from '../../formats/sizes.ts';
import { expectState } from '../../src/saved-state/families/expect-state.ts';
import { expectAllowed } from './only-files.ts';
import { expectDifferentFiles, ramFileOf } from './ram-files.ts';
import { stop } from './stop.ts';
import { unpacked } from './unpacked.ts';
import { isUrl, openUrl } from './web.ts';

export interface InputOptions {
  /** The file may be replaced after it was read: a machine that is loaded from it may be saved there. */
  mayBeReplaced?: boolean;
  /** Files with the RAM that the state leaves out: values of `--ram`. */
  ram?: readonly string[] | undefined;
  /** A log, which may grow on while it is read. */
  mayGrow?: boolean;
  /** The file need not be a state. */
  mayBeOther?: boolean;
}

/** Opens a file, a snapshot in one, `FILE:SNAPSHOT`, or stdin for `-`, unpacks packed ones; closes it in any case. */
export async function withInput<T>(
  file: string,
  use: (source: ByteSource) => Promise<T>,
  { mayBeReplaced = false, ram, mayGrow = false }: InputOptions = {},
): Promise<T> {
  if (file === '-') await expectAllowed(file);
  if (!mayBeReplaced) keepInput(file);
  const opened = endingWithWork(file === '-' ? streamSource(process.stdin) : await openPart(file, !mayGrow));
  // A pipe may never deliver anything.
  const forget = whenAborted(stop.signal, () => opened.seekable || void opened.close());
  try {
    return await withUnpacked(opened, ram, use);
  } finally {
    forget();
    await opened.close();
  }
}

/** A source whose reads fail when the command is to end. */
function endingWithWork(source: ByteSource): ByteSource {
  return {
    ...withBeside(source, {}),
    async read(target, position) {
      if (stop.signal.aborted) throw new InterruptedError();
      const reading = source.read(target, position);
      if (source.seekable) return reading;
      const count = await reading.catch((error) => {
        throw stop.signal.aborted ? new InterruptedError() : error;
      });
      // A pipe was closed to end the work, which looks like an early end of its bytes.
      if (stop.signal.aborted) throw new InterruptedError();
      return count;
    },
  };
}

/** Awaits a program that unpacks, which may hang, no longer than the command. @throws InterruptedError */
function unlessHanging<T>(work: Promise<T>): Promise<T> {
  return unlessAborted(stop.signal, 0, work);
}

function withoutHanging(source: ByteSource): ByteSource {
  return {
    ...withBeside(source, {}),
    read: (target, position) => unlessHanging(source.read(target, position)),
  };
}

/** Opens a file as it is stored, also a packed one, for its bytes; closes it in any case. @throws EnvironmentError */
export async function withStoredFile<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const source = await openPart(path);
  try {
    return await use(source);
  } finally {
    await source.close();
  }
}

async function withUnpacked<T>(
  opened: ByteSource,
  ram: readonly string[] = [],
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  const source = await unlessHanging(unpacked(opened));
  const files: RamFile[] = [];
  try {
    const named = ram.map(ramFileOf);
    expectDifferentFiles(named.map(({ path }) => path));
    for (const { path, block } of named) {
      await expectAllowed(path);
      files.push({ source: await openFile(path, { isWatched: true }), block });
    }
    const patient = source === opened ? source : withoutHanging(source);
    return await use(files.length > 0 ? withBeside(patient, { ram: files }) : patient);
  } finally {
    for (const file of files) await file.source.close();
    if (source !== opened) await source.close();
  }
}

/** Opens an input that is read more than once: stdin, or a pipe, goes to a temporary file first. */
function withSeekableInput<T>(
  file: string,
  use: (source: ByteSource) => Promise<T>,
  options?: InputOptions,
): Promise<T> {
  return withInput(
    file,
    async (given) => {
      if (given.seekable) return use(given);
      const source = options?.mayBeOther ? given : await expectState(given);
      const scratch = openScratchFile();
      try {
        const copy = new WrittenFile(scratch.name, scratch.descriptor);
        for await (const piece of chunksOf(source, MIB)) await copy.write(piece);
        if (stop.signal.aborted) throw new InterruptedError();
        const { size } = fstatSync(scratch.descriptor);
        const copied = sharedFile({ fd: scratch.descriptor, name: source.name, size });
        return await use(withBeside(copied, { part: source.part, ram: source.ram }));
      } finally {
        scratch.close();
      }
    },
    options,
  );
}

/** The input of a job that reads more than once. */
export function withSource<T>(
  { file }: { file: string },
  use: (source: ByteSource) => Promise<T>,
  options?: InputOptions,
): Promise<T> {
  return withSeekableInput(file, use, options);
}

/** A file, or the part of one that is named after a colon; the name may hold colons. @throws EnvironmentError */
async function openPart(path: string, isWatched = true): Promise<ByteSource> {
  if (isUrl(path)) return openUrl(path);
  const { file, part } = partIn(path);
  await expectAllowed(file);
  const source = await openFile(file, { isWatched });
  return part === undefined ? source : withBeside(source, { part });
}

function partIn(path: string): { file: string; part?: string } {
  if (existsSync(path)) return { file: path };
  for (let colon = path.indexOf(':', 1); colon > 0 && colon < path.length - 1; colon = path.indexOf(':', colon + 1))
    if (existsSync(path.slice(0, colon))) return { file: path.slice(0, colon), part: path.slice(colon + 1) };
  return { file: path };
}

/** The file that holds an input: of `FILE:SNAPSHOT` the image, of an address the address itself. */
export function storedFileOf(path: string): string {
  return isUrl(path) ? path : partIn(path).file;
}

const keptInputs: (() => void)[] = [];

/** Forgets the inputs so far; for commands that go through many files. */
export function forgetInputs(): void {
  for (const forget of keptInputs.splice(0)) forget();
}

/** Keeps this process from overwriting a file that it has read, under whatever name. */
function keepInput(file: string): void {
  try {
    const there = file === '-' ? fstatSync(0, { bigint: true }) : statSync(file, { bigint: true });
    if (there.isFile() || there.isFIFO()) keptInputs.push(holdFile(there, file === '-' ? 'stdin' : file));
  } catch {
    // Opening the file reports why it can't be read.
  }
}

/**
 * Maximum size, in bytes, of a source without a size: a device may have no end, and all of its bytes would go into
 * memory.
 */
const UNTOLD_LIMIT = 64 * MIB;

/**
 * The bytes of a file, or a pipe, that has to be small. @throws FormatError `too-long` beyond `limit` bytes, or beyond
 * 64 MiB of a pipe or a device; EnvironmentError
 */
export async function readSmallFile(path: string, limit: number, options?: InputOptions): Promise<Uint8Array> {
  const take = async (source: ByteSource) => {
    const most = source.size === undefined ? Math.min(limit, UNTOLD_LIMIT) : limit;
    const pieces: Buffer[] = [];
    let size = source.size !== undefined && source.size > most ? source.size : 0;
    const expectSmall = () => {
      const hint = most < limit ? `; as a file it may have ${limit}` : '';
      if (size > most) throw new FormatError('too-long', `Cannot read ${path}: it has more than ${most} bytes${hint}`);
    };
    expectSmall();
    for await (const piece of chunksOf(source)) {
      size += piece.length;
      expectSmall();
      pieces.push(Buffer.from(piece));
    }
    return Buffer.concat(pieces);
  };
  return withInput(path === '-' ? './-' : path, take, options);
}

/** The text of a small file, in UTF-8 or UTF-16. @throws as `readSmallFile` does */
export async function readSmallText(path: string, limit: number, options?: InputOptions): Promise<string> {
  const bytes = await readSmallFile(path, limit, options);
  return decoderFor(bytes).decode(bytes);
}

/**
 * The decoder for a text. Tools of Windows write UTF-16, or UTF-8 with a byte order mark. Text has no zero characters.
 */
function decoderFor([first, second]: Uint8Array): InstanceType<typeof TextDecoder> {
  const isLittleEndian = (first === 0xff && second === 0xfe) || (first !== 0 && second === 0);
  const isBigEndian = (first === 0xfe && second === 0xff) || (first === 0 && second !== 0);
  return new TextDecoder(isLittleEndian ? 'utf-16le' : isBigEndian ? 'utf-16be' : 'utf-8');
}

/** Longer lines are cut: texts have none. */
const MAX_LINE = 64 * 1024;

/** Beginning of a file. */
export interface TextStart {
  bytes: Uint8Array;
  text: string;
}

/** Bytes of a file's start that are kept, to tell its kind by. */
const START_SIZE = 4096;

/**
 * Gives the lines of a text, or stdin for `-`, in UTF-8 or UTF-16, which may be a log that grows on; holds one line at
 * most.
 * @returns how the file begins, which may turn out to be no text
 * @throws EnvironmentError
 */
export async function readLines(path: string, take: (line: string) => void): Promise<TextStart> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  let start: TextStart = { bytes: new Uint8Array(0), text: '' };
  let rest = '';
  const takeLines = async (source: ByteSource) => {
    for await (const piece of chunksOf(source)) {
      if (!decoder) {
        decoder = decoderFor(piece);
        const bytes = Uint8Array.from(piece.subarray(0, START_SIZE));
        start = { bytes, text: decoderFor(bytes).decode(bytes) };
      }
      const lines = `${rest}${decoder.decode(piece, { stream: true })}`.split('\n');
      rest = lines.pop()?.slice(0, MAX_LINE) ?? '';
      for (const line of lines) take(line);
    }
  };
  await withInput(path, takeLines, { mayGrow: true });
  if (rest !== '') take(rest);
  return start;
}
