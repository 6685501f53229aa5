import type { Random } from '../../../formats/testing/random.ts';
import { type DiskWork, SimulatedDisk } from '../../../formats/testing/simulated-disk.ts';
import { SimulatedFiles } from '../../../formats/testing/simulated-files.ts';
import type { Time, TimerHandle } from '../../../formats/world/time.ts';
import { enterWorld, type World } from '../../../formats/world/world.ts';
import { HostPrograms } from './host-programs.ts';
import { HostSockets } from './host-sockets.ts';
import { withProc } from './simulated-proc.ts';
import type { HostName, SimulatedSocket } from './simulated-socket.ts';
import type { Happening, Timeline } from './timeline.ts';

/** Folder of the records, on either host. */
export const RECORDS = '/records';

/** Things that all hosts of a simulation share. */
export interface Surroundings {
  readonly timeline: Timeline;
  readonly random: Random;
  /** The PID of an ended process is given to the next one. */
  readonly givesNumbersAgain: boolean;
  /** Called before each disk operation. @returns the system's code where it fails */
  diskFault(host: SimulatedHost, work: DiskWork, path: string): string | undefined;
}

/** A host: its files, its clock, and its processes. */
export class SimulatedHost {
  readonly name: HostName;
  readonly around: Surroundings;
  readonly files = new SimulatedFiles();
  readonly running = new Map<number, SimulatedProcess>();
  readonly sockets: HostSockets;
  readonly programs: HostPrograms<SimulatedProcess>;
  /** Error of its wall clock, in ms. */
  clockError = 0;
  /** Number of starts of the host. */
  starts = 1;
  isUp = true;
  #lastPid = 1000;
  /** PIDs of processes that have ended. */
  readonly #freed: number[] = [];
  /** Zero of the host's monotonic clock. */
  #begun: number;

  constructor(name: HostName, around: Surroundings) {
    this.name = name;
    this.around = around;
    this.#begun = name === 'source' ? 100 : 200;
    this.sockets = new HostSockets(this);
    this.programs = new HostPrograms(this);
    this.files.folders.add(RECORDS);
    this.files.folders.add('/machines');
  }

  /** Starts a process. @param words its command line */
  start(words: readonly string[] = []): SimulatedProcess {
    const old = this.around.givesNumbersAgain ? this.#freed.shift() : undefined;
    const process = new SimulatedProcess(this, old ?? ++this.#lastPid, ++this.#begun, words);
    this.running.set(process.pid, process);
    return process;
  }

  /** Stops all processes at once; data that was not synced may be gone, and other hosts are not told. */
  crash(): void {
    for (const process of [...this.running.values()]) process.end('silently');
    this.files.crash(this.around.random);
    this.isUp = false;
  }

  restart(): void {
    this.isUp = true;
    this.starts++;
    this.#lastPid = 1000;
    this.#freed.length = 0;
  }

  /** Frees a PID for later processes. */
  free(pid: number): void {
    this.running.delete(pid);
    this.#freed.push(pid);
  }
}

/** A guest that executes in a process. */
export interface GuestOfProcess {
  /** Executes the guest up to `now`. */
  catchUp(now: number): void;
  /** Lets the guest execute nothing before `time`. */
  holdUntil(time: number): void;
}

const IDLE_LOOK_MS = 20;

/** Shares of processor time that a process may measure; drawn at random, as the simulation has no load. */
const SHARES = [0, 0.3, 0.9, 1];

/** A process of a simulated host. Each has a `world` of its own, and its waits end with it. */
export class SimulatedProcess {
  readonly host: SimulatedHost;
  readonly pid: number;
  readonly place: string;
  readonly begunAt: string;
  /** The command line. */
  readonly words: readonly string[];
  readonly sockets = new Set<SimulatedSocket>();
  readonly files: SimulatedDisk;
  isGone = false;
  /** The program had returned, and nothing kept the process alive. */
  hasEndedByItself = false;
  /** Time until which the process is stopped, as by SIGSTOP: nothing happens in it. */
  stoppedUntil = 0;
  /** Timers that keep the process alive. */
  readonly timers = new Set<TimerHandle>();
  guest: GuestOfProcess | undefined;
  readonly #atEnd: (() => void)[] = [];
  readonly #world: World;
  /** Disk operations under way. */
  #works = 0;

  constructor(host: SimulatedHost, pid: number, begunAt: number, words: readonly string[]) {
    this.host = host;
    this.words = words;
    this.pid = pid;
    this.begunAt = String(begunAt);
    this.place = `${host.name} ${host.starts} 1`;
    const { timeline, random } = host.around;
    const date = () => Math.max(0, Math.floor(1.7e12 + timeline.now + host.clockError));
    this.files = new SimulatedDisk(host.files, {
      date,
      fault: (work, path) => host.around.diskFault(host, work, path),
      later: (work) => this.#later(work),
    });
    this.#world = {
      time: this.#time(date),
      chance: {
        bytes: (count) => Buffer.from(Uint8Array.from({ length: count }, () => random.below(256))),
        integer: (from, to) => from + random.below(to - from),
      },
      disk: withProc(this.files.disk, host),
      process: {
        pid,
        threads: () => 1,
        place: () => this.place,
        begunAt: () => this.begunAt,
        isRunning: (other, begunAt = '') => {
          const found = host.running.get(other);
          return found !== undefined && (begunAt === '' || begunAt === found.begunAt);
        },
      },
      sockets: host.sockets.of(this),
      programs: host.programs.of(this),
    };
  }

  /** Runs `work` in this process. */
  do<T>(work: () => T): T {
    enterWorld(this.#world);
    this.guest?.catchUp(this.host.around.timeline.now);
    return work();
  }

  /** Stops the process for a while, as by SIGSTOP. */
  stop(ms: number): void {
    const { now } = this.host.around.timeline;
    this.guest?.catchUp(now);
    this.stoppedUntil = now + ms;
    this.guest?.holdUntil(this.stoppedUntil);
  }

  /** @param how `killed`: the system closes its connections; `silently`: peers are not told */
  end(how: 'killed' | 'silently'): void {
    if (this.isGone) return;
    this.isGone = true;
    this.host.free(this.pid);
    for (const socket of [...this.sockets]) socket.abandon(how);
    for (const work of this.#atEnd) work();
  }

  /** Has work done at the end of the process. */
  atEnd(work: () => void): void {
    this.#atEnd.push(work);
  }

  /** To be called when the program has returned: the process ends when nothing keeps it alive. */
  endWhenIdle(): void {
    const { timeline } = this.host.around;
    const look = () => {
      this.hasEndedByItself = this.#works + this.timers.size + this.sockets.size === 0;
      if (this.hasEndedByItself) this.end('killed');
      else timeline.add(IDLE_LOOK_MS, this, look);
    };
    timeline.add(IDLE_LOOK_MS, this, look);
  }

  #later<T>(work: () => T): Promise<T> {
    const { timeline, random } = this.host.around;
    this.#works++;
    return new Promise((resolve, reject) => {
      timeline.add(0.02 + random.below(100) / 50, this, () => {
        this.#works--;
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #time(date: () => number): Time {
    const { timeline, random } = this.host.around;
    return {
      now: () => timeline.look(),
      date,
      after: (ms, work, keepsAlive) => {
        const timer = timeline.add(Math.max(1, ms), this, () => {
          this.timers.delete(timer);
          work();
        });
        if (keepsAlive) this.timers.add(timer);
        return timer;
      },
      every: (ms, work) => {
        const timer = { next: undefined as Happening | undefined };
        const again = () => {
          timer.next = timeline.add(Math.max(1, ms), this, () => {
            again();
            work();
          });
        };
        again();
        return timer;
      },
      stop: (timer) => {
        if (timer === undefined) return;
        this.timers.delete(timer);
        const happening = 'next' in timer ? (timer.next as Happening) : (timer as Happening);
        happening.isOff = true;
      },
      turn: (work) => void timeline.add(0.001 + random.below(20) / 1000, this, work),
      busyShare: () => () => random.pick(SHARES),
    };
  }
}
