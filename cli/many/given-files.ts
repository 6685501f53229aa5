import { constants, createReadStream, type Dirent, lstatSync, openSync } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { whenAborted } from '../../formats/aborting.ts';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import { holdAddress } from '../io/addresses.ts';
import { stop } from '../io/stop.ts';
import type { ManyOptions } from './options.ts';

/** A file for a command; the name of an address is held until the command is done with the file. */
export interface GivenFile {
  file: string;
  /** The file was found in a folder, not named, so it may be anything. */
  isFound: boolean;
}

/** Maximum size, in bytes, of a name, more than any path that a system takes. */
const MOST_NAME_BYTES = 64 * 1024;

/**
 * The named files, the files in folders, and the files in a list, one after the other; keeps at most one name, and the
 * entries of the folders above it.
 * @param leaveOut paths that are no inputs, such as the folder for outputs
 */
export async function* givenFiles(
  named: readonly string[],
  options: Pick<ManyOptions, 'recursive' | 'filesFrom' | 'null'>,
  leaveOut: readonly string[] = [],
): AsyncGenerator<GivenFile> {
  const isLeftOut = sameFileTest(leaveOut);
  for (const file of named) yield* filesOf(file, options.recursive, isLeftOut);
  if (options.filesFrom !== undefined)
    for await (const file of namesIn(options.filesFrom, options.null ? '\0' : '\n'))
      yield* filesOf(file, options.recursive, isLeftOut);
}

async function* filesOf(file: string, recursive: boolean, isLeftOut: Test): AsyncGenerator<GivenFile> {
  if (recursive && file !== '-' && (await stat(file).catch(() => undefined))?.isDirectory())
    yield* filesIn(file, isLeftOut);
  else yield { file: holdAddress(file), isFound: false };
}

/** Links to files are followed; links to folders are not, as they may form a circle. */
async function* filesIn(folder: string, isLeftOut: Test): AsyncGenerator<GivenFile> {
  const folders: string[] = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    if (isLeftOut(at)) continue;
    const below: string[] = [];
    for (const entry of await entriesOf(at)) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) below.push(path);
      else if (await isFile(entry, path)) if (!isLeftOut(path)) yield { file: path, isFound: true };
    }
    folders.push(...below.reverse());
  }
}

async function entriesOf(folder: string): Promise<Dirent[]> {
  const entries: Dirent[] = [];
  try {
    for await (const entry of await opendir(folder)) entries.push(entry);
  } catch (error) {
    throw EnvironmentError.from(error, `list the folder ${folder}`);
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function isFile(entry: Dirent, path: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isFile();
  return (await stat(path).catch(() => undefined))?.isFile() === true;
}

type Test = (path: string) => boolean;

/** Makes a test whether a path leads to one of some files. */
function sameFileTest(paths: readonly string[]): Test {
  if (paths.length === 0) return () => false;
  return (path) => {
    const own = keyOf(path);
    return own !== undefined && paths.some((each) => keyOf(each) === own);
  };
}

function keyOf(path: string): string | undefined {
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return there && `${there.dev} ${there.ino}`;
}

/** The names in a list, in order, without empty ones. @throws UsageError for a name without end, EnvironmentError */
async function* namesIn(path: string, end: '\0' | '\n'): AsyncGenerator<string> {
  const input = path === '-' ? process.stdin : await streamOf(path);
  const forget = whenAborted(stop.signal, () => void input.destroy());
  let rest = Buffer.alloc(0);
  try {
    for await (const piece of input as AsyncIterable<Buffer>) {
      rest = Buffer.concat([rest, piece]);
      let start = 0;
      for (let at = rest.indexOf(end); at >= 0; at = rest.indexOf(end, start)) {
        const name = nameOf(rest.subarray(start, at), end);
        start = at + 1;
        if (name !== '') yield name;
      }
      rest = rest.subarray(start);
      if (rest.length > MOST_NAME_BYTES)
        throw new UsageError('bad-value', `Cannot read the list ${path}: a name in it has no end`);
    }
  } catch (error) {
    if (stop.signal.aborted) return;
    throw error instanceof UsageError ? error : EnvironmentError.from(error, `read the list ${path}`);
  } finally {
    forget();
  }
  const last = nameOf(rest, end);
  if (last !== '') yield last;
}

/**
 * Opens a list. A process that waits for a pipe's writer in a call of the file system can't be ended by a signal, so
 * this does not wait there.
 */
async function streamOf(path: string): Promise<Readable> {
  if (!(await stat(path).catch(() => undefined))?.isFIFO()) return createReadStream(path);
  return new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false });
}

function nameOf(bytes: Uint8Array, end: string): string {
  const name = Buffer.from(bytes).toString();
  return end === '\n' ? name.replace(/\r$/, '') : name;
}
