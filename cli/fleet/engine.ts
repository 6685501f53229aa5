import { createRequire } from 'node:module';
import { EnvironmentError, UsageError } from '../../formats/errors.ts';

// BullMQ as far as it is used here. It is an optional package: who works on one host does not have it.

/** What a job is about. */
export interface Work {
  /** Command of savkit. */
  operation: string;
  /** Options of it. */
  options: string[];
  files: WorkFile[];
}

export interface WorkFile {
  /** Full path or URL, as workers open it. */
  file: string;
  size: number | null;
  /** When it was last written; ISO 8601. */
  modified: string | null;
  /** Found in a folder, not named: it may be anything. */
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
  close(): Promise<void>;
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

/** All of savkit's jobs are in a queue of this name. */
const QUEUE = 'savkit';

/** A queue on a server, by its URL. */
export class Fleet {
  readonly #engine: Engine;
  readonly #connection: unknown;
  readonly #backend: unknown;

  /** @throws UsageError for no URL of a server, EnvironmentError `no-queue` where the packages are not installed */
  constructor(url: string) {
    const isRedis = /^rediss?:\/\//.test(url);
    if ((!isRedis && !/^postgres(ql)?:\/\//.test(url)) || !URL.canParse(url))
      throw new UsageError(
        'bad-url',
        'Cannot use --queue: expected redis://HOST:PORT or postgres://HOST:PORT/DATABASE',
      );
    this.#engine = load<Engine>('bullmq', isRedis ? 'ioredis' : 'pg');
    // In a database that has no tables of the queue yet, they are made.
    this.#connection = isRedis ? { url, maxRetriesPerRequest: null } : { connectionString: url, migrate: true };
    this.#backend = isRedis ? undefined : this.#engine.createPostgresBackend;
  }

  queue(): FleetQueue {
    return new this.#engine.Queue(QUEUE, { connection: this.#connection }, ...this.#last);
  }

  /** Takes jobs, so many at a time, until it is closed. */
  worker(work: (job: FleetJob) => Promise<FileLine[]>, jobs: number): FleetWorker {
    // A worker that is killed is noticed within some seconds; its jobs go to others, however often that happens.
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
