import type { BigIntStats } from 'node:fs';
import { appendFile, open, realpath, stat } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { EnvironmentError, InterruptedError, UsageError } from '../../formats/errors.ts';
import { hashedSource } from '../../formats/files/hashed-source.ts';
import { changeOf } from '../../formats/files/watched-file.ts';
import { systemDate } from '../../formats/world/waiting.ts';
import { storedFileOf, withStoredFile } from '../io/input.ts';
import { isOutputStream } from '../io/output-stream.ts';
import { isFreeOr } from '../io/own-file.ts';
import type { Job } from './run-command.ts';
import { expectUnlisted, type HashedFile, sumLine } from './sum-list.ts';
import { version } from './version.ts';

/** Options of commands that make one file of another. */
export function withLists<T>(argv: Argv<T>) {
  return argv
    .option('sums', {
      type: 'string',
      requiresArg: true,
      describe: 'Append SHA-256 of input and output to this list, which sha256sum --check reads',
    })
    .option('custody', {
      type: 'string',
      requiresArg: true,
      describe: 'Append to this chain of custody, one JSON object a line: time, user, host, release, hashes',
    });
}

/** The lists that a command is to append to. */
export interface Lists {
  sums?: string | undefined;
  custody?: string | undefined;
}

/** A command, and its files besides the input. */
interface Making {
  command: string;
  /** Path of the output; undefined where nothing is to be written. */
  output: string | undefined;
  /** Files that the command reads besides its input, if they are named. */
  others?: readonly (string | undefined)[];
  /** Files that the command writes besides its output, if they are named. */
  besides?: readonly (string | undefined)[];
}

/**
 * Does `work`, which makes a file of `job.file`, and appends both with their hashes to the requested lists, after the
 * output is on disk. Without an output nothing is appended.
 * @throws UsageError before any work: `same-file`, or a stream, which can't be hashed again; EnvironmentError `EEXIST`
 * for a file that is no such list, or has a sum of the output already; EnvironmentError `changed` for an input that has
 * changed meanwhile
 */
export async function noted<T>(job: Job, lists: Lists, making: Making, work: () => Promise<T>): Promise<T> {
  const { sums, custody } = lists;
  if (sums === undefined && custody === undefined) return work();
  const { command, output, others = [], besides = [] } = making;
  if (output === undefined) throw new UsageError('bad-combination', '--sums and --custody go with an output');
  const read = [job.file, ...others.filter((path) => path !== undefined)];
  const stored = read.map(storedFileOf);
  await expectFiles(read, output);
  await expectLists(lists, [...stored, output, ...besides.filter((path) => path !== undefined)]);
  const [before, earlier] = [await Promise.all(stored.map(statusOf)), await statusOf(output)];
  if (sums !== undefined) await expectUnlisted(sums, output);
  const [input, ...beside] = await Promise.all(read.map((path) => hashed(path, job)));
  const value = await work();
  const made = await statusOf(output);
  if (!made || (earlier && !changeOf(earlier, made))) return value;
  const isInPlace = (await placeOf(stored[0])) === (await placeOf(output));
  if (!isInPlace) await expectUnchanged(stored, before, output);
  const own = await hashed(output, job).catch((error) => {
    if (error instanceof InterruptedError) error.message += `; ${output} is whole, but is not noted in the lists`;
    throw error;
  });
  const files = { input, output: own, ...(beside.length > 0 ? { beside } : {}) };
  if (sums !== undefined) await noteSums(sums, [...(isInPlace ? [] : [input]), ...beside, files.output]);
  if (custody !== undefined) await noteCustody(custody, { tool: `savkit ${version()}`, command, ...files });
  return value;
}

/** Pattern of the beginning of each list. */
const BEGINNINGS: Readonly<Record<keyof Lists, RegExp>> = { sums: /^\\?[0-9a-f]{64} [ *]/, custody: /^\{"time":"/ };

/** @throws UsageError for streams, whose bytes can't be had again */
async function expectFiles(inputs: readonly string[], output: string): Promise<void> {
  if (inputs.includes('-') || (await isOutputStream(output)))
    throw new UsageError(
      'bad-combination',
      '--sums and --custody note files: expected no stdin, no stdout and no pipe',
    );
}

/**
 * Makes sure that only lists are appended to.
 * @param files the files that are read and written besides
 */
async function expectLists(lists: Lists, files: readonly string[]): Promise<void> {
  const taken = new Set(await Promise.all(files.map(placeOf)));
  for (const kind of ['sums', 'custody'] as const) {
    const path = lists[kind];
    if (path === undefined) continue;
    const place = await placeOf(path);
    if (taken.has(place))
      throw new UsageError('same-file', `Cannot append to ${path}: --${kind} takes a file of its own`);
    taken.add(place);
    if (!(await isFreeOr(path, BEGINNINGS[kind])))
      throw new EnvironmentError('EEXIST', `Cannot append to ${path}: it is there already, and no list of --${kind}`);
  }
}

async function placeOf(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function statusOf(path: string): Promise<BigIntStats | undefined> {
  return stat(path, { bigint: true }).catch(() => undefined);
}

/** @throws EnvironmentError `changed` for an input that has changed */
async function expectUnchanged(
  inputs: readonly string[],
  before: readonly (BigIntStats | undefined)[],
  output: string,
): Promise<void> {
  for (const [i, path] of inputs.entries()) {
    const [earlier, now] = [before[i], await statusOf(path)];
    const how = earlier ? changeOf(earlier, now) : now && 'it was not there before';
    if (how !== undefined)
      throw new EnvironmentError(
        'changed',
        `Cannot note ${output} in the lists: its input ${path} has changed: ${how}`,
      );
  }
}

function hashed(path: string, { signal, progress }: Job): Promise<HashedFile> {
  return withStoredFile(path, async (source) => {
    const onProgress = (done: number) => progress.update(done, source.size, 'hashing');
    const sha256 = await hashedSource(source).sha256({ signal, onProgress });
    return { path: source.name, part: source.part, sha256 };
  });
}

/** Writes a link in one step, since processes side by side may append to one chain. */
async function noteCustody(log: string, made: object): Promise<void> {
  const link = { time: systemDate().toISOString(), user: userInfo().username, host: hostname(), ...made };
  await append(log, `${JSON.stringify(link)}\n`);
}

/** Adds lines to a list, as `sha256sum --check` reads it. */
async function noteSums(list: string, files: readonly HashedFile[]): Promise<void> {
  await append(list, files.map(sumLine).join(''));
}

async function append(path: string, text: string): Promise<void> {
  try {
    // A part of a line, left by a full disk, must not become the beginning of this one.
    const beginning = (await endsInLine(path)) ? '' : '\n';
    await appendFile(path, beginning + text, { mode: 0o600 });
  } catch (error) {
    throw EnvironmentError.from(error, `append to ${path}`);
  }
}

/** Whether a new line can be appended: the file ends with a newline, is empty, or is no regular file. */
async function endsInLine(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  if (!there?.isFile() || there.size === 0) return true;
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, there.size - 1);
    return buffer.toString() === '\n';
  } finally {
    await file.close();
  }
}
