import { basename, dirname, join } from 'node:path';
import { EnvironmentError, FormatError } from '../../formats/errors.ts';
import { syncFolder } from '../../formats/files/sync-folder.ts';
import { withTemporaryFile } from '../../formats/files/temporary-files.ts';
import { readTextFile } from '../../formats/files/text-file.ts';
import { readJson } from '../../formats/values/json-text.ts';
import {
  clockTime,
  flag,
  hexText,
  integer,
  list,
  oneOf,
  optional,
  record,
  type ShapeValue,
  text,
  withDefault,
} from '../../formats/values/shape.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { world } from '../../formats/world/world.ts';
import { type MigrationSettings, settingsShape } from '../qmp/migration-settings.ts';
import { withRecordLock } from './record-lock.ts';

/** A disk that has failed is tried again after this time. */
const RETRY_MS = 200;

// Decisions of a side, on disk before it acts on them. From the two records it always follows which side may run the
// machine; see resolve.ts.

export const SOURCE_DECISIONS = ['migrating', 'handed-over', 'done', 'kept'] as const;
export const TARGET_DECISIONS = ['receiving', 'ready', 'started', 'gave-up'] as const;
/** Decisions of the source. */
export type SourceDecision = (typeof SOURCE_DECISIONS)[number];
/** Decisions of the target. */
export type TargetDecision = (typeof TARGET_DECISIONS)[number];
/** A decision of either side; resolve.ts has the consequences. */
export type Decision = SourceDecision | TargetDecision;
export type MigrationSide = 'source' | 'target';

const guestShape = record({
  /** PID of its QEMU; 0 where it is not known. */
  pid: integer(0, 2 ** 31),
  /** Path of one of its QMP sockets. */
  qmp: text(4096),
  /** Files that hold its memory. */
  ram: list(text(4096), 64),
  /** QEMU's former migration settings, which are to be restored. Records of older versions do not tell. */
  settings: optional(settingsShape),
});
/** The process that runs the machine, if this process only moves it. */
export type GuestRecord = Omit<ShapeValue<typeof guestShape>, 'settings'> & {
  /** QEMU's former migration settings, which are to be restored. */
  settings?: MigrationSettings | undefined;
};

const recordShape = record({
  format: oneOf('savkit-migration/1'),
  side: oneOf('source', 'target'),
  migration: hexText(16),
  decision: oneOf(...SOURCE_DECISIONS, ...TARGET_DECISIONS),
  machine: text(256),
  peer: text(256),
  pid: integer(0, 2 ** 31),
  /** Place of the PID; see place.ts. Records of older versions do not tell. */
  place: withDefault(text(256), ''),
  /**
   * Start time of the process that wrote the record, since another process may have its PID by now. Some systems, and
   * older versions, do not tell.
   */
  begunAt: optional(text(64)),
  /** Number of the connection over which the decision was made; older versions do not tell. */
  attempt: withDefault(integer(0, 2 ** 31), 0),
  /** The process that runs the machine, if another process only moves it and may end before. */
  guest: optional(guestShape),
  /** Whether the machine was paused before its hand-over, and so arrives paused; absent until it stands still. */
  wasPaused: optional(flag),
  /** Milliseconds since 1970. */
  at: clockTime,
});
/** A decision as its file holds it. */
export type DecisionRecord = Omit<ShapeValue<typeof recordShape>, 'guest' | 'wasPaused' | 'begunAt'> & {
  /** Start time of the process that wrote the record; absent if the record does not tell. */
  begunAt?: string | undefined;
  /** The process that runs the machine, if another process only moves it and may end before. */
  guest?: GuestRecord | undefined;
  /** Whether the machine was paused before its hand-over, and so arrives paused; absent until it stands still. */
  wasPaused?: boolean | undefined;
};

/** Log of a side's decisions. */
export interface DecisionLog {
  /** Sets the subject of the records, as soon as it is known. */
  describe(machine: string, peer: string): void;
  /** Has further records tell whether the machine was paused before its hand-over, and has to stay so. */
  standsStill(wasPaused: boolean): void;
  /**
   * Resolves when the decision would survive a crash.
   * @param attempt number of the connection over which the decision was made
   */
  write(decision: Decision, attempt: number): Promise<void>;
  /** The present decision, which another process, `migrate --resolve`, may have written. */
  read(): Promise<Decision>;
}

/** Subject of a record. */
export type RecordHead = Pick<DecisionRecord, 'side' | 'migration' | 'machine' | 'peer'> & {
  /** The process that runs the machine, if another process only moves it. */
  guest?: GuestRecord;
  /** See `DecisionRecord`. */
  wasPaused?: boolean;
};

export function recordPath(folder: string, migration: string, side: MigrationSide): string {
  return join(folder, `${migration}.${side}.json`);
}

/** A log in a file: a new one takes the place of the old one in one step, and both file and folder are made durable. */
export class DecisionFile implements DecisionLog {
  /** The file that the record is in. */
  readonly path: string;
  #head: RecordHead;
  /** The last write; each begins after the one before. */
  #written: Promise<void> = Promise.resolve();
  /** The last decision that this process has made durable. */
  #own: Decision | undefined;

  /** @param folder must exist; the record is written into it */
  constructor(folder: string, head: RecordHead) {
    this.path = recordPath(folder, head.migration, head.side);
    this.#head = head;
  }

  describe(machine: string, peer: string): void {
    this.#head = { ...this.#head, machine, peer };
  }

  standsStill(wasPaused: boolean): void {
    this.#head = { ...this.#head, wasPaused };
  }

  /** Has further records name the process that runs the machine. */
  runsIn(guest: GuestRecord): void {
    this.#head = { ...this.#head, guest };
  }

  write(decision: Decision, attempt: number): Promise<void> {
    const write = () => withRecordLock(this.path, () => this.#writeAlone(decision, attempt));
    this.#written = this.#written.then(write, write);
    return this.#written;
  }

  async #writeAlone(decision: Decision, attempt: number): Promise<void> {
    await writeRecord(this.path, {
      format: 'savkit-migration/1',
      ...this.#head,
      decision,
      attempt,
      pid: world.process.pid,
      place: world.process.place(),
      begunAt: world.process.begunAt(),
      at: world.time.date(),
    });
    this.#own = decision;
  }

  async read(): Promise<Decision> {
    await this.#written.catch(() => {});
    const { decision } = await readRecord(this.path);
    if (decision === this.#own) return decision;
    // Another process has written this decision, and may still take it back.
    return withRecordLock(this.path, async () => (await readRecord(this.path)).decision);
  }
}

/** A log that lasts as long as the process: for tests, and where both sides are one process. */
export class DecisionMemory implements DecisionLog {
  #decision: Decision = 'migrating';
  /** All decisions, in order. */
  readonly written: Decision[] = [];

  describe(): void {}

  standsStill(): void {}

  async write(decision: Decision): Promise<void> {
    this.#decision = decision;
    this.written.push(decision);
  }

  async read(): Promise<Decision> {
    return this.#decision;
  }
}

/**
 * Resolves when the record would survive a crash of the host, as far as its disk can tell; on failure the older record
 * stays. Where the disk allows neither, the call waits until one is possible. Until then other processes may read a
 * decision that is taken back: to be called under `withRecordLock`.
 * @throws EnvironmentError
 */
export async function writeRecord(path: string, value: DecisionRecord): Promise<void> {
  const before = await standingRecord(path);
  try {
    await replace(path, `${JSON.stringify(value, null, 2)}\n`, true);
  } catch (error) {
    throw EnvironmentError.from(error, `write down the decision in ${path}`);
  }
  let failure: unknown;
  // Without the sync the new record can be read, though a crash may bring the older one back: nobody may act on it. On
  // a disk that can neither sync the new record nor bring back the older one, the decision waits.
  for (; ; await sleep(RETRY_MS)) {
    try {
      return await syncFolder(dirname(path));
    } catch (error) {
      failure ??= error;
    }
    if (await takeBack(path, before)) throw EnvironmentError.from(failure, `write down the decision in ${path}`);
  }
}

/** The text of the record that is to be replaced; undefined where there is none. @throws EnvironmentError */
async function standingRecord(path: string): Promise<string | undefined> {
  try {
    return await readTextFile(path, RECORD_LIMIT);
  } catch (error) {
    if ((error as EnvironmentError).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Replaces a record in one step: at any time its file holds the old record or the new one. */
async function replace(path: string, text: string, isSynced: boolean): Promise<void> {
  await withTemporaryFile(dirname(path), basename(path), async (temporary) => {
    const file = await world.disk.open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(text);
      if (isSynced) await file.sync();
    } finally {
      await file.close();
    }
    await world.disk.rename(temporary, path);
  });
}

/** @returns whether the older record stands again */
async function takeBack(path: string, before: string | undefined): Promise<boolean> {
  return (before === undefined ? world.disk.unlink(path) : replace(path, before, true)).then(
    () => true,
    () => false,
  );
}

/**
 * Makes a record durable as it is. Its process may have been killed while it wrote; a crash of the host could then
 * bring back the older record, after a process has acted on this one. @throws EnvironmentError for a disk that fails
 */
export async function keepRecord(path: string): Promise<void> {
  const file = await world.disk.open(path, 'r').catch(() => undefined);
  await file?.sync().catch(() => {});
  await file?.close().catch(() => {});
  try {
    await syncFolder(dirname(path));
  } catch (error) {
    throw EnvironmentError.from(error, `make ${path} durable`);
  }
}

/** A record has some hundred bytes; it may have come from another host. */
const RECORD_LIMIT = 65_536;

/** @throws EnvironmentError, FormatError for a bad record */
export async function readRecord(path: string): Promise<DecisionRecord> {
  const text = await readTextFile(path, RECORD_LIMIT);
  const refuse = (why: string, field = '') =>
    new FormatError('bad-record', `Cannot read ${path} as the record of a migration: ${why}`, { field });
  return readJson(text ?? '', recordShape, refuse);
}
