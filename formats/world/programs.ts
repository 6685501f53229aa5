import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import type { EventEmitter } from 'node:events';
import { promisify } from 'node:util';
import { environmentOfOthers } from './secret-variables.ts';

/** A program that was started. */
export type StartedProgram = Pick<
  ChildProcess,
  'pid' | 'stdin' | 'stdout' | 'stderr' | 'exitCode' | 'signalCode' | 'kill' | 'unref'
> &
  EventEmitter;

/** Options of running a program to its end. */
export interface RunOptions {
  /** Time in ms after which the program is killed. */
  timeout?: number;
  killSignal?: NodeJS.Signals;
  signal?: AbortSignal;
}

/** Other programs, which this process starts; like Node's `spawn` and `execFile`. */
export interface Programs {
  start(program: string, words: readonly string[], options: SpawnOptions): StartedProgram;
  /** Runs a program to its end. @throws errors as `execFile` gives them */
  run(program: string, words: readonly string[], options?: RunOptions): Promise<{ stdout: string }>;
}

/** Node's `spawn`, for programs other than savkit: they inherit no secrets. */
export const spawnOther = ((program: string, words: readonly string[], options: SpawnOptions) =>
  spawn(program, words, { env: environmentOfOthers(), ...options })) as typeof spawn;

export const REAL_PROGRAMS: Programs = {
  start: spawnOther,
  run: (program, words, options = {}) =>
    promisify(execFile)(program, words, { env: environmentOfOthers(), ...options }),
};
