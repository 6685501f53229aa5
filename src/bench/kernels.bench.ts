import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import { returnBuffer, takeBuffer } from '../../formats/kernels/arena.ts';
import { createLzfEncoder, lzfDecode, lzfWalkBatch } from '../../formats/kernels/lzf.ts';
import { xxh64Batch } from '../../formats/kernels/xxh64.ts';
import { isZero } from '../../formats/kernels/zero.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { makePages, PAGE_SORTS, type PageSort, pagesFile } from './kernel-pages.ts';
import { LIBLZF_BENCH } from './liblzf-bench.ts';
import type { BenchContext, BenchRow } from './row.ts';

// The kernels on 16 MiB of pages, warm, against liblzf in C (Debian's liblzf-dev, with gcc). Encoders keep VirtualBox's
// limit: 256 bytes must be won.

/** Pages at a time: kernels work in their own memory. */
const GROUP = 256;
const LIMIT = PAGE_SIZE - 256;
const ROUNDS = 9;
const HEADER = '/usr/include/liblzf/lzf.h';

/**
 * Milliseconds that `step` takes for all pages, in the fastest of some rounds, which was disturbed least. `before` is
 * not counted.
 */
function measure(pages: Uint8Array, before: (group: Uint8Array) => void, step: (group: Uint8Array) => void): number {
  const group = takeBuffer(GROUP * PAGE_SIZE);
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let ms = 0;
    for (let at = 0; at < pages.length; at += group.length) {
      group.set(pages.subarray(at, at + group.length));
      before(group);
      const start = performance.now();
      step(group);
      ms += performance.now() - start;
    }
    rounds.push(ms);
  }
  returnBuffer(group);
  return Math.min(...rounds);
}

const encoder = createLzfEncoder();
const blocks = takeBuffer(GROUP * PAGE_SIZE);
const batch = {
  encoding: new Uint8Array(GROUP),
  at: Uint32Array.from({ length: GROUP }, (_, i) => i * PAGE_SIZE),
  length: new Uint32Array(GROUP),
};

function encode(group: Uint8Array): void {
  for (let i = 0; i < GROUP; i++) {
    batch.length[i] = encoder.encode(group, i * PAGE_SIZE, PAGE_SIZE, blocks, i * PAGE_SIZE, LIMIT);
    batch.encoding[i] = batch.length[i] > 0 ? 1 : 0;
  }
}

function decode(group: Uint8Array): void {
  for (let i = 0; i < GROUP; i++)
    if (batch.length[i] > 0) lzfDecode(blocks, i * PAGE_SIZE, batch.length[i], group, i * PAGE_SIZE, PAGE_SIZE);
}

function walk(): void {
  if (!lzfWalkBatch(blocks, batch, GROUP, 1, PAGE_SIZE)) throw new Error('a good block is refused');
}

const hashes = new BigUint64Array(GROUP);
const noBlocks = () => {};
const read = ({ folder }: BenchContext, sort: PageSort) => readFileSync(pagesFile(folder, sort));
const prepare = async ({ folder }: BenchContext) => {
  makePages(folder);
  if (existsSync(HEADER)) compile(folder);
};

/** Milliseconds of liblzf for the same pages: encoding, decoding. */
function liblzf({ folder }: BenchContext, sort: PageSort): [number, number] {
  const [encodeMs, decodeMs] = execFileSync(join(folder, 'liblzf-bench'), [pagesFile(folder, sort)], {
    encoding: 'utf8',
  })
    .split(' ')
    .map(Number);
  return [encodeMs, decodeMs];
}

function compile(folder: string): void {
  writeFileSync(join(folder, 'liblzf-bench.c'), LIBLZF_BENCH);
  execFileSync('gcc', ['-O2', join(folder, 'liblzf-bench.c'), '-llzf', '-o', join(folder, 'liblzf-bench')]);
}

const missing = () =>
  existsSync(HEADER) && existsSync('/usr/bin/gcc') ? undefined : 'there is no gcc with liblzf (Debian: liblzf-dev)';
/** To be reached: decoding 1.5 × liblzf, encoding as fast; incompressible pages must be noticed 5 × as fast. */
const ENCODE_TARGETS = { binaries: 1, text: 1, random: 5 } as const;
const COMPRESSIBLE = PAGE_SORTS.filter((sort) => sort !== 'random');

export const rows: BenchRow[] = [
  ...PAGE_SORTS.map(
    (sort): BenchRow => ({
      name: `liblzf encodes ${sort}`,
      prepare,
      missing,
      run: (context) => liblzf(context, sort)[0],
    }),
  ),
  ...COMPRESSIBLE.map(
    (sort): BenchRow => ({
      name: `liblzf decodes ${sort}`,
      prepare,
      missing,
      run: (context) => liblzf(context, sort)[1],
    }),
  ),
  ...PAGE_SORTS.map(
    (sort): BenchRow => ({
      name: `LZF encodes ${sort}`,
      prepare,
      against: [{ row: `liblzf encodes ${sort}`, atLeast: ENCODE_TARGETS[sort] }],
      run: (context) => measure(read(context, sort), noBlocks, encode),
    }),
  ),
  ...COMPRESSIBLE.map(
    (sort): BenchRow => ({
      name: `LZF decodes ${sort}`,
      prepare,
      against: [{ row: `liblzf decodes ${sort}`, atLeast: 1.5 }],
      run: (context) => measure(read(context, sort), encode, decode),
    }),
  ),
  ...COMPRESSIBLE.map(
    (sort): BenchRow => ({
      name: `LZF walks ${sort}`,
      prepare,
      against: [{ row: `LZF decodes ${sort}` }],
      run: (context) => measure(read(context, sort), encode, walk),
    }),
  ),
  {
    name: 'xxhash-wasm of pages',
    prepare,
    async run(context) {
      const { h64Raw } = await xxhash();
      return measure(read(context, 'random'), noBlocks, (group) => {
        for (let i = 0; i < GROUP; i++) hashes[i] = h64Raw(group.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE));
      });
    },
  },
  {
    name: 'xxh64 of pages',
    prepare,
    against: [{ row: 'xxhash-wasm of pages', atLeast: 1 }],
    run: (context) =>
      measure(read(context, 'random'), noBlocks, (group) => xxh64Batch(group, batch.at, PAGE_SIZE, GROUP, hashes)),
  },
  {
    name: 'zero test of pages',
    prepare,
    run: (context) =>
      measure(
        read(context, 'random'),
        (group) => group.fill(0),
        (group) => {
          for (let i = 0; i < GROUP; i++)
            if (!isZero(group, i * PAGE_SIZE, PAGE_SIZE)) throw new Error('zeros are refused');
        },
      ),
  },
];
