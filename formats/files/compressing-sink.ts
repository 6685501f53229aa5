import { once } from 'node:events';
import { Duplex, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { EnvironmentError, UnsupportedError } from '../errors.ts';
import { spawnOther } from '../world/programs.ts';
import type { Packing } from './packings.ts';
import type { ByteSink } from './sink.ts';

/**
 * Compresses a stream on its way to a sink: gzip by Node, and zstd by Node since 22.15; any other packing by the
 * program of the same name.
 */
export class CompressingSink implements ByteSink {
  readonly #compressor: Duplex;
  /** Ends when all of the output has been written. */
  readonly #pumped: Promise<void>;

  constructor(sink: ByteSink, packing: Packing) {
    this.#compressor = nodeCompressor(packing) ?? programCompressor(packing);
    this.#pumped = pump(this.#compressor, sink);
    // The next write, or the end, reports a failure.
    this.#pumped.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    // A copy: a compressor may still read the bytes when the next ones are written.
    if (this.#compressor.write(bytes.slice())) return;
    await Promise.race([once(this.#compressor, 'drain'), this.#pumped]);
  }

  /** Waits until all has been written. @throws UnsupportedError `no-program`, EnvironmentError */
  async end(): Promise<void> {
    this.#compressor.end();
    await this.#pumped;
  }

  /** Ends the work without a result. Harmless after `end`. */
  abort(): void {
    this.#compressor.destroy();
  }
}

async function pump(output: Duplex, sink: ByteSink): Promise<void> {
  for await (const piece of output) await sink.write(piece as Uint8Array);
}

function nodeCompressor(packing: Packing): Transform | undefined {
  if (packing === 'gzip') return zlib.createGzip();
  const { createZstdCompress } = zlib as { createZstdCompress?: () => Transform };
  return packing === 'zstd' ? createZstdCompress?.() : undefined;
}

function programCompressor(program: Packing): Duplex {
  const child = spawnOther(program, ['-c'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const duplex = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.on('error', () => duplex.destroy(noProgram(program)));
  child.on('close', (code) => {
    if (code !== 0)
      duplex.destroy(new EnvironmentError('io', `Cannot compress: the program ${program} ended with ${code}`));
  });
  duplex.on('close', () => child.kill());
  return duplex;
}

function noProgram(program: Packing): UnsupportedError {
  return new UnsupportedError('no-program', `Cannot write ${program}: the program ${program} is not installed`);
}
