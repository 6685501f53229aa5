import { EventEmitter } from 'node:events';
import { basename } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import type { Programs, StartedProgram } from '../../../formats/world/programs.ts';
import { errorWithCode } from '../../wire/network-error.ts';
import type { Subject, Timeline } from './timeline.ts';

/** A process, as parents and children see each other. */
interface Relative extends Subject {
  readonly pid: number;
  /** Has work done at the end of the process. */
  atEnd(work: () => void): void;
  end(how: 'killed'): void;
}

/** The host of the programs. */
interface Host<P extends Relative> {
  readonly isUp: boolean;
  readonly around: { readonly timeline: Timeline };
  start(words: readonly string[]): P;
}

/** Input of a program, from the process that has started it. */
export interface ProgramInput {
  /** Called with each piece, in the program's process, and with undefined at the end. */
  onPiece: ((piece: string | undefined) => void) | undefined;
  /** Gives the parent something to read. */
  say(bytes: string | Buffer): void;
}

/** Longest time, in ms, that a program takes that is run to its end. */
const RUNS_MS = 30;

/** Programs that processes of a host can start, by name; other programs do not exist. */
export class HostPrograms<P extends Relative> {
  /** Programs by name, each called with the process in which it begins, and its arguments. */
  readonly known = new Map<string, (process: P, words: readonly string[], input: ProgramInput) => void>();
  /** Programs that are run to their end. */
  readonly tools = new Map<string, (words: readonly string[]) => void>();
  readonly #host: Host<P>;

  constructor(host: Host<P>) {
    this.#host = host;
  }

  of(parent: Relative): Programs {
    return {
      start: (program, words) => this.#start(parent, program, words),
      run: (program, words) => this.#run(parent, program, words),
    };
  }

  #run(parent: Relative, name: string, words: readonly string[]): Promise<{ stdout: string }> {
    const tool = this.tools.get(name);
    if (!tool) return Promise.reject(errorWithCode('ENOENT', `start ${name}`));
    const { timeline } = this.#host.around;
    return new Promise((resolve) => {
      timeline.add(RUNS_MS, parent, () => {
        tool(words);
        resolve({ stdout: '' });
      });
    });
  }

  #start(parent: Relative, name: string, words: readonly string[]): StartedProgram {
    const { timeline } = this.#host.around;
    const program = this.#host.isUp ? this.known.get(basename(name)) : undefined;
    const events = new EventEmitter();
    const none = { stdin: null, stdout: null, stderr: null, exitCode: null, signalCode: null, unref: () => {} };
    if (!program) {
      timeline.add(0, parent, () => events.emit('error', errorWithCode('ENOENT', `start ${name}`)));
      return Object.assign(events, { ...none, pid: undefined, kill: () => false });
    }
    const process = this.#host.start([name, ...words]);
    const stdout = new PassThrough();
    const say = (bytes: string | Buffer) => void timeline.add(0, parent, () => stdout.write(bytes));
    process.atEnd(() => timeline.add(0, parent, () => stdout.end()));
    const input: ProgramInput = { onPiece: undefined, say };
    const give = (piece?: string) => timeline.add(0, process, () => input.onPiece?.(piece));
    let signal: string | null = null;
    process.atEnd(() => timeline.add(0, parent, () => events.emit('close', signal === null ? 1 : null, signal)));
    parent.atEnd(() => give());
    timeline.add(0, process, () => program(process, words, input));
    const kill = () => {
      signal = 'SIGKILL';
      process.end('killed');
      return true;
    };
    const stdin = { on: () => stdin, write: give, end: (piece: string) => [give(piece), give()] };
    return Object.assign(events, { ...none, stdin: stdin as unknown as Writable, stdout, pid: process.pid, kill });
  }
}
