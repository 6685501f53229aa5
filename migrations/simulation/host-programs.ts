import { EventEmitter } from 'node:events';
import type { Programs, StartedProgram } from '../../formats/world/programs.ts';
import { errorWithCode } from '../wire/network-error.ts';
import type { Subject, Timeline } from './timeline.ts';

/** A process, as its parent sees it. */
interface Child extends Subject {
  readonly pid: number;
  onEnd: (() => void) | undefined;
  end(how: 'killed'): void;
}

/** The host of the programs. */
interface Host<P extends Child> {
  readonly isUp: boolean;
  readonly around: { readonly timeline: Timeline };
  start(words: readonly string[]): P;
}

/** Programs that processes of a host can start, by name; others are not there. */
export class HostPrograms<P extends Child> {
  /** Each is called with its process, in which it begins, and its arguments. */
  readonly known = new Map<string, (process: P, words: readonly string[]) => void>();
  readonly #host: Host<P>;

  constructor(host: Host<P>) {
    this.#host = host;
  }

  of(parent: Subject): Programs {
    return {
      start: (program, words) => this.#start(parent, program, words),
      run: async (program) => {
        throw errorWithCode('ENOENT', `start ${program}`);
      },
    };
  }

  #start(parent: Subject, name: string, words: readonly string[]): StartedProgram {
    const { timeline } = this.#host.around;
    const program = this.#host.isUp ? this.known.get(name) : undefined;
    const events = new EventEmitter();
    const none = { stdin: null, stdout: null, stderr: null, exitCode: null, signalCode: null, unref: () => {} };
    if (!program) {
      timeline.add(0, parent, () => events.emit('error', errorWithCode('ENOENT', `start ${name}`)));
      return Object.assign(events, { ...none, pid: undefined, kill: () => false });
    }
    const process = this.#host.start([name, ...words]);
    let signal: string | null = null;
    process.onEnd = () => timeline.add(0, parent, () => events.emit('close', signal === null ? 1 : null, signal));
    timeline.add(0, process, () => program(process, words));
    const kill = () => {
      signal = 'SIGKILL';
      process.end('killed');
      return true;
    };
    return Object.assign(events, { ...none, pid: process.pid, kill });
  }
}
