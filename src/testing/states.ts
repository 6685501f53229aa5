import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReadableSink } from '../../formats/files/sink.ts';
import { type ByteSource, bufferSource } from '../../formats/files/source.ts';
import type { ImageTarget } from '../saved-state/extract/extract.ts';

/** The part of a truth file that tests compare with; test-vectors/states/README.md explains the fields. */
export interface Truth {
  size: number;
  container: { format: string; writer: string; revision: number; live: boolean; directoryEntries: number };
  units: {
    name: string;
    instance: number;
    version: number;
    pass: number | 'final';
    offset: number;
    fileSize: number;
    payloadSize: number;
    payloadSha256: string;
  }[];
  vcpus: { mode: string; cr0: string; cr2: string; cr3: string; cr4: string; efer: string }[];
  pgm: { version: number; records: Record<string, number> };
  ram: {
    size: number;
    hole: number | null;
    low: { end: string; sha256: string; visibleSha256: string };
    high: { first: string; sha256: string } | null;
  };
  rom: {
    description: string;
    address: string;
    virginSha256: string;
    shadowSha256: string | null;
    visibleSha256: string;
  }[];
  mmio2: { description: string; device: string; instance: number; region: number; sha256: string; mappedAt?: string }[];
  memoryMap?: [string, string, string][];
  patterns: { space: string; cpu?: number; address: string; size: number; sha256?: string; bytes?: string }[];
}

export interface Sample {
  name: string;
  path: string;
  truth: Truth;
}

/** The real states that come with the project, with their truth. */
export const STATES_FOLDER = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/src/') ? '../../../test-vectors/states/' : '../../test-vectors/states/',
    import.meta.url,
  ),
);

/** All `NAME.sav` (or `NAME.ssm`) of a folder with a `NAME.json` beside them. */
export function samplesIn(folder: string): Sample[] {
  return readdirSync(folder)
    .filter((file) => /\.(sav|ssm)$/.test(file) && existsSync(join(folder, file.replace(/\.\w+$/, '.json'))))
    .map((file) => {
      const name = file.replace(/\.\w+$/, '');
      return {
        name,
        path: join(folder, file),
        truth: JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as Truth,
      };
    });
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** An image in memory. */
export class MemoryTarget implements ImageTarget {
  bytes: Uint8Array = new Uint8Array(0);

  async writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    if (offset + bytes.length > this.bytes.length) await this.truncate(offset + bytes.length);
    this.bytes.set(bytes, offset);
  }

  async truncate(size: number): Promise<void> {
    const before = this.bytes.length;
    const { buffer } = this.bytes;
    if (size <= buffer.byteLength) {
      this.bytes = new Uint8Array(buffer, 0, size).fill(0, Math.min(before, size));
      return;
    }
    // Room for more, as images grow in small steps.
    const larger = new Uint8Array(new ArrayBuffer(2 * size), 0, size);
    larger.set(this.bytes);
    this.bytes = larger;
  }
}

/** Bytes that a `SparseTarget` keeps together. */
const CHUNK = 1024 * 1024;

/** An image in memory, of any size: only what was written takes room. */
export class SparseTarget implements ImageTarget {
  readonly #chunks = new Map<number, Uint8Array>();

  async writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const at = (offset + done) % CHUNK;
      const part = bytes.subarray(done, done + CHUNK - at);
      const number = (offset + done - at) / CHUNK;
      const chunk = this.#chunks.get(number) ?? new Uint8Array(CHUNK);
      this.#chunks.set(number, chunk);
      chunk.set(part, at);
      done += part.length;
    }
  }

  async truncate(): Promise<void> {}

  /** Yields what stands there, in pieces; zeros where nothing was written. */
  *read(offset: number, size: number): Generator<Uint8Array> {
    for (let at = offset; at < offset + size; ) {
      const within = at % CHUNK;
      const length = Math.min(CHUNK - within, offset + size - at);
      yield this.#chunks.get((at - within) / CHUNK)?.subarray(within, within + length) ?? new Uint8Array(length);
      at += length;
    }
  }
}

/** Takes an output that is read back, in memory. */
export class MemorySink implements ReadableSink {
  #bytes = Buffer.alloc(64 * 1024);
  #size = 0;
  #position = 0;

  async write(bytes: Uint8Array): Promise<void> {
    await this.writeAt(bytes, this.#position);
    this.#position += bytes.length;
  }

  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    const end = position + bytes.length;
    if (position > this.#size) await this.truncate(position);
    this.#reserve(end);
    this.#bytes.set(bytes, position);
    this.#size = Math.max(this.#size, end);
  }

  #reserve(size: number): void {
    if (size > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes], Math.max(size, 2 * this.#bytes.length));
  }

  async truncate(size: number): Promise<void> {
    this.#reserve(size);
    this.#bytes.fill(0, Math.min(size, this.#size), Math.max(size, this.#size));
    this.#size = size;
  }

  async readBack(): Promise<ByteSource> {
    return bufferSource(this.content());
  }

  content(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }
}
