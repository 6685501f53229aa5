import { randomFillSync } from 'node:crypto';
import { openSync, readSync } from 'node:fs';
import { returnBuffer, takeBuffer } from './arena.ts';
import { applyWordDelta, wordDelta } from './delta.ts';
import { applyWordDeltaPlain, wordDeltaPlain } from './delta-plain.ts';
import { createLzfEncoder, lzfDecode, lzfWalk, lzfWalkBatch } from './lzf.ts';
import { LzfEncoder as PlainEncoder } from './lzf-encode-plain.ts';
import { lzfDecode as plainDecode, lzfWalk as plainWalk } from './lzf-plain.ts';
import { kernels } from './wasm.ts';
import { xxh64 } from './xxh64.ts';
import { xxh64Plain } from './xxh64-plain.ts';
import { isZero } from './zero.ts';

// npm run campaign -- kernels [SECONDS [SEED]]: hands the same bytes, good and mutated, to the WebAssembly kernels and
// to their plain twins. Results must be the same, byte for byte, and nothing may be written beside its place.

const [seconds = '60', seedText] = process.argv.slice(2);
const seed = seedText === undefined ? Date.now() >>> 0 : Number(seedText) >>> 0;
const PAGE = 4096;
const ROOM = 3 * PAGE;
/** Byte before and after targets; a kernel must not overwrite it. */
const MARK = 0xa7;

if (!kernels) {
  console.error('There is no kernels.wasm, or SAVKIT_NO_WASM is set: there is nothing to compare.');
  process.exit(2);
}

let state = seed || 1;
/** xorshift32: the same numbers for the same seed. */
function random(limit: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % limit;
}

const binary = openSync(process.execPath, 'r');
const encoder = createLzfEncoder();
const twin = new PlainEncoder();
const block = takeBuffer(ROOM);
const target = takeBuffer(ROOM);
const other = new Uint8Array(ROOM);
const page = new Uint8Array(PAGE);
const counts = { blocks: 0, pages: 0, failed: 0 };

function fail(what: string): void {
  counts.failed++;
  if (counts.failed <= 20) console.log(`FAIL (seed ${seed}, block ${counts.blocks}): ${what}`);
}

/** Makes a page of one of the kinds that guests have. */
function makePage(): void {
  const kind = random(6);
  if (kind === 0) randomFillSync(page);
  else if (kind === 1) page.fill(random(256));
  else if (kind === 2) {
    const period = 1 + random(40);
    for (let i = 0; i < PAGE; i++) page[i] = i < period ? random(256) : page[i - period];
  } else if (kind === 3) {
    page.fill(0);
    for (let i = random(60); i > 0; i--) page[random(PAGE)] = random(256);
  } else readSync(binary, page, 0, PAGE, random(20_000) * PAGE);
}

/** Runs both encoders on the page. @returns length of the result, in `block` */
function encodeBoth(): number {
  const limit = 1 + random(2 * PAGE);
  block.fill(MARK);
  other.fill(MARK);
  const length = encoder.encode(page, 0, PAGE, block, 8, limit);
  if (length !== twin.encode(page, 0, PAGE, other, 8, limit)) fail('lzfEncode: lengths differ');
  if (length > 0 && Buffer.compare(block.subarray(8, 8 + length), other.subarray(8, 8 + length)) !== 0)
    fail('lzfEncode: bytes differ');
  if (block.subarray(8 + limit).some((byte) => byte !== MARK) || block.subarray(0, 8).some((byte) => byte !== MARK))
    fail('lzfEncode: wrote beside its place');
  return length > 0 ? length : encoder.encode(page, 0, PAGE, block, 8, 2 * PAGE);
}

function mutate(length: number): number {
  for (let i = random(5); i > 0; i--) block[8 + random(length)] = random(3) === 0 ? 0xe0 | random(32) : random(256);
  return random(4) === 0 ? 1 + random(length) : length;
}

function decodeBoth(length: number): void {
  const size = random(8) === 0 ? random(2 * PAGE) : PAGE;
  const to = random(64);
  target.fill(MARK);
  other.fill(MARK);
  const verdict = plainDecode(block, 8, length, other, to, size);
  if (lzfDecode(block, 8, length, target, to, size) !== verdict) fail('lzfDecode: verdicts differ');
  if (verdict && Buffer.compare(target, other) !== 0) fail('lzfDecode: bytes differ');
  if (target.subarray(0, to).some((byte) => byte !== MARK) || target.subarray(to + size).some((byte) => byte !== MARK))
    fail('lzfDecode: wrote beside its place');
  const batch = {
    encoding: Uint8Array.of(1, 0, 1, 1),
    at: Uint32Array.of(8, 0, 8, 8),
    length: Uint32Array.of(length, 0, length, length),
  };
  const walks = [
    plainWalk(block, 8, length, size),
    lzfWalk(block, 8, length, size),
    lzfWalkBatch(block, batch, 1 + random(4), 1, size),
  ];
  if (walks.some((walk) => walk !== verdict)) fail('lzfWalk: verdicts differ');
}

function compareOthers(): void {
  const at = random(100);
  const length = random(PAGE - at);
  target.set(page);
  if (xxh64(target, at, length) !== xxh64Plain(page, at, length)) fail('xxh64 differs');
  if (isZero(target, at, length) !== page.subarray(at, at + length).every((byte) => byte === 0)) fail('isZero differs');
  const base = page.slice();
  for (let i = random(40); i > 0; i--) base[random(PAGE)] = random(256);
  const limit = random(PAGE + 100);
  const size = wordDelta(base, 0, page, 0, target, 0, limit);
  if (size !== wordDeltaPlain(base, 0, page, 0, other, 0, limit)) fail('wordDelta: lengths differ');
  if (size === 0) return;
  if (Buffer.compare(target.subarray(0, size), other.subarray(0, size)) !== 0) fail('wordDelta: bytes differ');
  if (random(2) === 0) target[random(size)] ^= 1 << random(8);
  const [own, plain] = [base.slice(), base.slice()];
  if (applyWordDelta(target, 0, size, own, 0) !== applyWordDeltaPlain(target, 0, size, plain, 0))
    fail('applyWordDelta: verdicts differ');
  if (Buffer.compare(own, plain) !== 0) fail('applyWordDelta: bytes differ');
}

const end = performance.now() + Number(seconds) * 1000;
while (performance.now() < end && counts.failed === 0) {
  makePage();
  counts.pages++;
  const length = encodeBoth();
  decodeBoth(length);
  counts.blocks++;
  for (let i = 0; i < 8; i++, counts.blocks++) decodeBoth(mutate(length));
  compareOthers();
}
for (const buffer of [block, target]) returnBuffer(buffer);
console.log(`seed ${seed}: ${counts.pages} pages, ${counts.blocks} blocks, both twins`);
console.log(`${counts.blocks - counts.failed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 || counts.blocks === 0 ? 1 : 0;
