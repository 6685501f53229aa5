import type { BigIntStats } from 'node:fs';
import { EnvironmentError } from '../errors.ts';
import type { DiskFile } from '../world/disk.ts';
import { world } from '../world/world.ts';

const watched = new Set<WatchedFile>();

/** An open input that must not change while it is read, so that results hold for all of its bytes. */
export class WatchedFile {
  readonly #path: string;
  readonly #file: DiskFile;
  readonly #asOpened: BigIntStats;
  /** This process itself may replace the file. */
  #mayBeReplaced = false;

  constructor(path: string, file: DiskFile, asOpened: BigIntStats) {
    this.#path = path;
    this.#file = file;
    this.#asOpened = asOpened;
    watched.add(this);
  }

  /** To be called for an output that takes the place of an input, before it does. */
  static letReplace(name: string): void {
    for (const file of watched) if (file.#path === name) file.#mayBeReplaced = true;
  }

  /** @throws EnvironmentError `changed` for the first input that has changed */
  static async checkAll(): Promise<void> {
    for (const file of watched) await file.check();
  }

  /** @throws EnvironmentError `changed` */
  async check(): Promise<void> {
    const [now, there] = await Promise.all([
      this.#file.stat({ bigint: true }),
      world.disk.stat(this.#path, { bigint: true }).catch(() => undefined),
    ]);
    const how = changeOf(this.#asOpened, now) ?? (this.#mayBeReplaced ? undefined : changeOf(this.#asOpened, there));
    if (how !== undefined) throw changed(this.#path, how);
  }

  forget(): void {
    watched.delete(this);
  }
}

/** Change of a file since an earlier look at it; undefined where there is none. */
export function changeOf(before: BigIntStats, now: BigIntStats | undefined): string | undefined {
  if (!now) return 'it is not there any more';
  if (now.dev !== before.dev || now.ino !== before.ino) return 'another file has taken its place';
  if (now.size !== before.size) return `it has ${now.size} bytes, and had ${before.size}`;
  return now.mtimeNs === before.mtimeNs ? undefined : 'it was written to';
}

/** The error for a file that has changed while it was read. */
export function changed(path: string, how: string): EnvironmentError {
  return new EnvironmentError('changed', `Cannot trust the bytes read from ${path}: ${how}`);
}
