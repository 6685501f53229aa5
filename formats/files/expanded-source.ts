import { Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { FormatError, SavkitError, UnsupportedError } from '../errors.ts';
import { spawnOther } from '../world/programs.ts';
import type { Packing } from './packings.ts';
import { type ByteSource, readFrom, streamSource } from './source.ts';

const PIECE = 256 * 1024;
const SMALL_PIECE = 512;

/**
 * The bytes of `source` from `start` on, expanded as they are read: by Node for gzip and, since 22.15, zstd; for any
 * other packing by the program of the same name.
 * @param damage makes the error for a packed stream that is damaged or cut off
 * @param endsAtDamage a damaged stream ends with its last good bytes, without an error
 * @throws UnsupportedError `no-program`, when the first bytes are read, where the program is not installed
 */
export function expandedSource(
  source: ByteSource,
  start: number,
  packing: Packing,
  damage: (message: string) => SavkitError = (message) => new FormatError('bad-compression', message),
  endsAtDamage = false,
): ByteSource {
  const expanded = expandedStrictly(source, start, packing, damage);
  return endsAtDamage ? endingAtDamage(expanded) : expanded;
}

/** Reads in small pieces, since a large read would lose the good bytes before a fault. */
function endingAtDamage(source: ByteSource): ByteSource {
  let isOver = false;
  return {
    ...source,
    async read(target, position) {
      for (let done = 0; ; ) {
        if (isOver || done === target.length) return done;
        try {
          const wanted = Math.min(SMALL_PIECE, target.length - done);
          const count = await source.read(target.subarray(done, done + wanted), position + done);
          done += count;
          isOver = count < wanted;
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
          isOver = true;
        }
      }
    },
  };
}

function expandedStrictly(
  source: ByteSource,
  start: number,
  packing: Packing,
  damage: (message: string) => SavkitError,
): ByteSource {
  const input = Readable.from(pieces(source, start), { objectMode: false });
  const expander = nodeExpander(packing);
  if (expander) {
    input.on('error', (error) => expander.destroy(error));
    const expanded = streamSource(input.pipe(expander), source.name);
    return guarded(expanded, { damage, close: () => void input.destroy() });
  }
  const child = spawnOther(packing, ['-dc'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  child.on('error', () => {
    child.stdout.destroy(
      new UnsupportedError(
        'no-program',
        `Cannot expand ${source.name}: it is compressed with ${packing}, and the program ${packing} is not installed`,
      ),
    );
  });
  // The program may end before it has read all of its input.
  child.stdin.on('error', () => input.destroy());
  input.on('error', (error) => child.stdout.destroy(error));
  input.pipe(child.stdin);
  return guarded(streamSource(child.stdout, source.name), {
    damage,
    close: () => {
      input.destroy();
      child.kill();
    },
    // At damage the program just ends its output: only its exit code tells that there was more.
    async atEnd() {
      if ((await ended) !== 0) throw Object.assign(new Error(packing), { code: 'ERR_STREAM_EXPANDER' });
    },
  });
}

interface Guard {
  damage: (message: string) => SavkitError;
  close: () => void;
  atEnd?: () => Promise<void>;
}

function guarded(source: ByteSource, { damage, close, atEnd }: Guard): ByteSource {
  return {
    ...source,
    async read(target, position) {
      try {
        const count = await source.read(target, position);
        if (count < target.length) await atEnd?.();
        return count;
      } catch (error) {
        throw faultOf(error) ?? damage(`Cannot expand ${source.name}: its compressed stream is damaged or cut off`);
      }
    },
    async close() {
      close();
      await source.close();
    },
  };
}

/** An error from the reader or the system, not from the packed stream. */
function faultOf(error: unknown): unknown {
  const cause = (error as Error).cause ?? error;
  if (cause instanceof SavkitError) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  return /^(Z_|ZSTD|ERR_STREAM|ERR_ZSTD|ERR__ERROR)/.test(code) ? undefined : error;
}

function nodeExpander(packing: Packing): Transform | undefined {
  if (packing === 'gzip') return zlib.createGunzip();
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  return packing === 'zstd' ? createZstdDecompress?.() : undefined;
}

async function* pieces(source: ByteSource, start: number): AsyncGenerator<Uint8Array> {
  for (let position = start; ; ) {
    const piece = new Uint8Array(PIECE);
    const count = await readFrom(source, piece, position);
    if (count === 0) return;
    yield piece.subarray(0, count);
    position += count;
  }
}
