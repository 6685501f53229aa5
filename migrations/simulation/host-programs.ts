import { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import type { Programs, StartedProgram } from '../../formats/world/programs.ts';
import { errorWithCode } from '../wire/network-error.ts';
import type { Subject, Timeline } from './timeline.ts';

/** A process, as parents and children see each other. */
interface Relative extends Subject {
  readonly pid: number;
  /** Has something done at its end. */
  atEnd(work: () => void): void;
  end(how: 'killed'): void;
}

/** The host of the programs. */
interface Host<P extends Relative> {
  readonly isUp: boolean;
  readonly around: { readonly timeline: Timeline };
  start(words: readonly string[]): P;
}

/** What a program gets from the process that has started it. */
export interface ProgramInput {
  /** Called with each piece, in the program's process, and with undefined at the end. */
  onPiece: ((piece: string | undefined) => void) | undefined;
}

/** Programs that processes of a host can start, by name; others are not there. */
export class HostPrograms<P extends Relative> {
  /** Each is called with its process, in which it begins, and its arguments. */
  readonly known = new Map<string, (process: P, words: readonly string[], input: ProgramInput) => void>();
  readonly #host: Host<P>;

  constructor(host: Host<P>) {
    this.#host = host;
  }

  of(parent: Relative): Programs {
    return {
      start: (program, words) => this.#start(parent, program, words),
      run: async (program) => {
        throw errorWithCode('ENOENT', `start ${program}`);
      },
    };
  }

  #start(parent: Relative, name: string, words: readonly string[]): StartedProgram {
    const { timeline } = this.#host.around;
    const program = this.#host.isUp ? this.known.get(name) : undefined;
    const events = new EventEmitter();
    const none = { stdin: null, stdout: null, stderr: null, exitCode: null, signalCode: null, unref: () => {} };
    if (!program) {
      timeline.add(0, parent, () => events.emit('error', errorWithCode('ENOENT', `start ${name}`)));
      return Object.assign(events, { ...none, pid: undefined, kill: () => false });
    }
    const process = this.#host.start([name, ...words]);
    const input: ProgramInput = { onPiece: undefined };
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
    return Object.assign(events, { ...none, stdin: stdin as unknown as Writable, pid: process.pid, kill });
  }
}
