import { dirname } from 'node:path';
import type { Random } from './random.ts';

/** A file, whatever its names: what programs see, and what would be there after a crash of the host. */
export class SimulatedFile {
  readonly number: number;
  bytes: Buffer = Buffer.alloc(0);
  changedAt = 0;
  /** Holds `bytes`, and zeros after them, so that a file that grows is not copied with each write. */
  #room: Buffer = this.bytes;
  #durable: Buffer = Buffer.alloc(0);
  /** Writes since the last sync, in order; a change of size has no bytes. */
  #unsynced: { at: number; bytes: Buffer | undefined }[] = [];

  constructor(number: number) {
    this.number = number;
  }

  write(bytes: Uint8Array, at: number): void {
    this.#unsynced.push({ at, bytes: Buffer.from(bytes) });
    if (at + bytes.length > this.bytes.length) this.#setSize(at + bytes.length);
    this.bytes.set(bytes, at);
  }

  resize(size: number): void {
    this.#unsynced.push({ at: size, bytes: undefined });
    this.#setSize(size);
  }

  #setSize(size: number): void {
    if (size > this.#room.length) this.#room = resized(this.bytes, Math.max(size, 2 * this.#room.length));
    this.#room.fill(0, size, this.bytes.length);
    this.bytes = this.#room.subarray(0, size);
  }

  sync(): void {
    if (this.#unsynced.length === 0) return;
    this.#durable = Buffer.from(this.bytes);
    this.#unsynced = [];
  }

  /**
   * Forgets bytes after a sync that failed: the system does not know any more that they were never written, and the
   * next sync does not bring them.
   */
  loseUnsynced(): void {
    this.#unsynced = [];
  }

  /** Crashes: of each write that was not synced, all, the first part or nothing stays. */
  crash(random: Random): void {
    for (const { at, bytes } of this.#unsynced) {
      const kept = random.below(3);
      if (kept === 0) continue;
      const part = bytes?.subarray(0, kept === 1 ? bytes.length : random.below(bytes.length + 1));
      this.#durable = part ? written(this.#durable, at, part) : resized(this.#durable, at);
    }
    this.#unsynced = [];
    this.bytes = Buffer.from(this.#durable);
    this.#room = this.bytes;
  }
}

function written(now: Buffer, at: number, bytes: Uint8Array): Buffer {
  const whole = resized(now, Math.max(now.length, at + bytes.length));
  whole.set(bytes, at);
  return whole;
}

function resized(now: Buffer, size: number): Buffer {
  if (size <= now.length) return now.subarray(0, size);
  const whole = Buffer.alloc(size);
  whole.set(now);
  return whole;
}

type Change = { folder: string; path: string; file: SimulatedFile | undefined }[];

/** The files of a host, and their names: a name is durable once its folder was synced. */
export class SimulatedFiles {
  readonly folders = new Set<string>();
  readonly names = new Map<string, SimulatedFile>();
  #durable = new Map<string, SimulatedFile>();
  /** Changes of names that no sync of their folder has made durable, in order; each happens as one. */
  #pending: Change[] = [];
  #numbers = 0;

  create(path: string): SimulatedFile {
    const file = new SimulatedFile(++this.#numbers);
    this.change([path, file]);
    return file;
  }

  /** @returns the path of a new folder, which begins so */
  newFolder(prefix: string): string {
    const path = `${prefix}${String(++this.#numbers).padStart(6, '0')}`;
    this.folders.add(path);
    return path;
  }

  /** Removes a folder with all that is in it. */
  removeFolder(folder: string): void {
    this.folders.delete(folder);
    for (const path of this.names.keys()) if (path.startsWith(`${folder}/`)) this.change([path, undefined]);
  }

  /** Gives names, or takes them away, in one step. */
  change(...entries: [path: string, file: SimulatedFile | undefined][]): void {
    const change = entries.map(([path, file]) => ({ folder: dirname(path), path, file }));
    applyTo(this.names, change);
    this.#pending.push(change);
  }

  syncFolder(folder: string): void {
    const isOfFolder = (change: Change) => change.some((entry) => entry.folder === folder);
    for (const change of this.#pending) if (isOfFolder(change)) applyTo(this.#durable, change);
    this.#pending = this.#pending.filter((change) => !isOfFolder(change));
  }

  /** The host crashes: changes of names that were not synced have happened up to some moment. */
  crash(random: Random): void {
    for (const change of this.#pending.slice(0, random.below(this.#pending.length + 1))) applyTo(this.#durable, change);
    this.#pending = [];
    this.names.clear();
    for (const [path, file] of this.#durable) this.names.set(path, file);
    for (const file of new Set(this.names.values())) file.crash(random);
  }
}

function applyTo(names: Map<string, SimulatedFile>, change: Change): void {
  for (const { path, file } of change) {
    if (file) names.set(path, file);
    else names.delete(path);
  }
}
