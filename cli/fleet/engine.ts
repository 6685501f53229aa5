import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';
import type { AnswerLimit } from './answer-limit.ts';

// The parts of BullMQ that savkit uses. The package is optional, since only work on several hosts needs it.

/** Contents of a job. */
export interface Work {
  /** Command of savkit. */
  operation: string;
  /** Options of the operation. */
  options: string[];
  files: WorkFile[];
}

export interface WorkFile {
  /** Full path, or URL, that workers can open. */
  file: string;
  size: number | null;
  /** Time of its last change; ISO 8601. */
  modified: string | null;
  /** The file was found in a folder, not named, so it may be no saved state. */
  isFound: boolean;
}

/** One file's result, as `--ndjson` prints it. */
export type FileLine = Record<string, unknown>;

export interface FleetJob {
  id?: string;
  data: Work;
  returnvalue: FileLine[] | null;
  failedReason?: string;
  attemptsMade: number;
  opts: { attempts?: number };
}

export type QueuedJobState = 'waiting' | 'active' | 'delayed' | 'completed' | 'failed';

export interface FleetQueue {
  addBulk(jobs: readonly { name: string; data: Work; opts: object }[]): Promise<unknown>;
  getJobCounts(...states: QueuedJobState[]): Promise<Record<string, number>>;
  getJobs(states: QueuedJobState[], first: number, last: number, ascending: boolean): Promise<(FleetJob | undefined)[]>;
  close(): Promise<void>;
  on(event: 'error', handle: (error: Error) => void): void;
}

export interface FleetWorker {
  /** @param isForced jobs under way are not waited for */
  close(isForced?: boolean): Promise<void>;
  on(event: 'error' | 'failed' | 'completed', handle: (...values: never[]) => void): void;
}

interface Engine {
  Queue: new (name: string, options: object, backend?: unknown) => FleetQueue;
  Worker: new (
    name: string,
    process: (job: FleetJob) => Promise<FileLine[]>,
    options: object,
    backend?: unknown,
  ) => FleetWorker;
  createPostgresBackend: unknown;
}

/** Name of the queue. */
const QUEUE = 'savkit';

/** A queue on a server, by its URL. */
export class Fleet {
  readonly #engine: Engine;
  readonly #connection: unknown;
  readonly #backend: unknown;

  /**
   * @param limit watches the connections
   * @throws UsageError for another kind of URL, EnvironmentError `no-queue` where the packages are not installed
   */
  constructor(url: string, limit: AnswerLimit) {
    const isRedis = /^rediss?:\/\//.test(url);
    if ((!isRedis && !/^postgres(ql)?:\/\//.test(url)) || !URL.canParse(url))
      throw new UsageError(
        'bad-url',
        'Cannot use --queue: expected redis://HOST:PORT or postgres://HOST:PORT/DATABASE',
      );
    this.#engine = load<Engine>('bullmq', isRedis ? 'ioredis' : 'pg');
    // The client of PostgreSQL makes its sockets by itself, so that Node does not tell of them.
    const stream = () => {
      const socket = new Socket();
      limit.watch(socket);
      return socket;
    };
    // `migrate` makes the queue's tables in a database without them.
    this.#connection = isRedis ? { url, maxRetriesPerRequest: null } : { connectionString: url, migrate: true, stream };
    this.#backend = isRedis ? undefined : this.#engine.createPostgresBackend;
  }

  /** The queue, to be used through `queueInTime`. */
  queue(): FleetQueue {
    return new this.#engine.Queue(QUEUE, { connection: this.#connection }, ...this.#last);
  }

  /** Takes up to `jobs` jobs at a time, until it is closed. */
  worker(work: (job: FleetJob) => Promise<FileLine[]>, jobs: number): FleetWorker {
    // The death of a worker is noticed within seconds, and its jobs go to other workers, any number of times.
    const takeOver = { lockDuration: 10_000, stalledInterval: 5000, maxStalledCount: 1000 };
    const options = { connection: this.#connection, concurrency: jobs, ...takeOver };
    return new this.#engine.Worker(QUEUE, work, options, ...this.#last);
  }

  get #last(): unknown[] {
    return this.#backend === undefined ? [] : [this.#backend];
  }
}

function load<T>(name: string, ...others: string[]): T {
  const find = createRequire(import.meta.url);
  try {
    for (const other of others) find.resolve(other);
    return find(name) as T;
  } catch (error) {
    const words = `npm install ${[name, ...others].join(' ')}`;
    throw new EnvironmentError(
      'no-queue',
      `Cannot reach the queue: packages are missing, install them beside savkit: ${words} ` +
        `(${(error as NodeJS.ErrnoException).code})`,
    );
  }
}
