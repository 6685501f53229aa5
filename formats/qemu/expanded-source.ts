import { spawn } from 'node:child_process';
import { Readable, type Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { SavkitError, UnsupportedError } from '../errors.ts';
import { type ByteSource, streamSource } from '../files/source.ts';
import type { LibvirtCompression } from './libvirt-image.ts';
import { QemuFormatError } from './qemu-error.ts';

type Compressed = Exclude<LibvirtCompression, 'raw' | 'sparse'>;

/** Programs that expand what Node can't; libvirt calls the same ones. */
const PROGRAMS: Record<Compressed, readonly string[]> = {
  gzip: ['gzip', '-dc'],
  bzip2: ['bzip2', '-dc'],
  xz: ['xz', '-dc'],
  lzop: ['lzop', '-dc'],
  zstd: ['zstd', '-dc'],
};

const PIECE = 256 * 1024;

/**
 * The bytes of `source` from `start` on, expanded as they are read: by Node for gzip and, since 22.15, zstd; by the
 * program of that name otherwise.
 * @throws UnsupportedError `no-program`, when the first bytes are read, where the program is not installed
 */
export function expandedSource(source: ByteSource, start: number, compression: Compressed): ByteSource {
  const input = Readable.from(pieces(source, start), { objectMode: false });
  const expander = nodeExpander(compression);
  if (expander) return closing(streamSource(input.pipe(expander), source.name), () => expander.destroy());
  const [program, ...options] = PROGRAMS[compression];
  const child = spawn(program, options, { stdio: ['pipe', 'pipe', 'ignore'] });
  const output = streamSource(child.stdout, source.name);
  child.on('error', () => {
    child.stdout.destroy(
      new UnsupportedError(
        'no-program',
        `Cannot expand ${source.name}: it is compressed with ${compression}, and the program ${program} is not installed`,
      ),
    );
  });
  child.on('close', (code) => {
    if (code !== 0) child.stdout.destroy(Object.assign(new Error(program), { code: 'ERR_STREAM_EXPANDER' }));
  });
  // The program ends when it has seen enough, whatever is still on the way.
  child.stdin.on('error', () => input.destroy());
  input.pipe(child.stdin);
  return closing(output, () => child.kill());
}

function closing(source: ByteSource, end: () => void): ByteSource {
  return {
    ...source,
    async read(target, position) {
      try {
        return await source.read(target, position);
      } catch (error) {
        throw faultOf(error, source.name);
      }
    },
    async close() {
      end();
      await source.close();
    },
  };
}

/** What an expander does not take is the file's fault; that of the surroundings stays. */
function faultOf(error: unknown, name: string): unknown {
  const { cause } = error as Error;
  if (cause instanceof SavkitError) return cause;
  const { code = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  if (!/^(Z_|ZSTD|ERR_STREAM|ERR_ZSTD|ERR__ERROR)/.test(code)) return error;
  return new QemuFormatError(
    'bad-compression',
    `Cannot expand ${name}: its compressed stream is damaged or cut off`,
    {},
    'load of migration failed: Input/output error',
  );
}

function nodeExpander(compression: Compressed): Transform | undefined {
  if (compression === 'gzip') return zlib.createGunzip();
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => Transform };
  return compression === 'zstd' ? createZstdDecompress?.() : undefined;
}

async function* pieces(source: ByteSource, start: number): AsyncGenerator<Uint8Array> {
  for (let position = start; ; ) {
    const piece = new Uint8Array(PIECE);
    const count = await source.read(piece, position);
    if (count === 0) return;
    yield piece.subarray(0, count);
    position += count;
  }
}
