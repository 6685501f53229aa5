import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFile } from '../../../formats/files/source.ts';
import { makeState } from '../../bench/make-state.ts';
import { compareWithManifest } from './compare-manifest.ts';
import { makeManifest } from './manifest.ts';
import { decodeManifest, encodeManifest } from './manifest-file.ts';

// npm run campaign -- manifest [MIB]: makes a state of 1 GiB and its manifest, flips bits, and compares the page that
// the manifest names with the one that a naive reading finds there.

const PAGE = 4096;
const FLIPS = 5;

/** Places of pages in files of `makeState`, which have one item a page; heads are in records of their own before. */
function* contents(file: Buffer): Generator<{ start: number; end: number; frame: number; isRaw: boolean }> {
  let at = file.indexOf('pgm\0') + 4;
  let frame = -1;
  let isHead = true;
  while ((file[at] & 15) !== 1) {
    const first = file[at + 1];
    const count = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    let size = count === 1 ? first : first & (0x7f >> count);
    for (let i = 1; i < count; i++) size = size * 64 + (file[at + 1 + i] & 63);
    const start = at + 1 + count;
    const isRaw = (file[at] & 15) === 2;
    if (isRaw && size < PAGE) frame = lastFrame(file.subarray(start, start + size), frame, isHead);
    else yield { start, end: start + size, frame, isRaw };
    isHead = false;
    at = start + size;
  }
}

/**
 * The page frame after some heads of page records. The first heads of a file follow the head of the unit, which is
 * skipped: PGM and one CPU, RAM configuration, two empty lists.
 */
function lastFrame(heads: Buffer, before: number, skipsHead: boolean): number {
  let frame = before;
  for (let at = skipsHead ? 25 + 53 + 12 + 2 : 0; at < heads.length && heads[at] !== 0xff; ) {
    const hasAddress = heads[at] >= 0x80;
    frame = hasAddress ? Number(heads.readBigUInt64LE(at + 1)) / PAGE : frame + 1;
    at += hasAddress ? 9 : 1;
  }
  return frame;
}

const mib = Number(process.argv[2] ?? 1024);
const folder = mkdtempSync(join(tmpdir(), 'savkit-manifest-'));
let failed = 0;
try {
  const path = join(folder, 'large.sav');
  await makeState(path, mib * 1024 * 1024);
  const file = readFileSync(path);
  const started = performance.now();
  const source = await openFile(path);
  const bytes = encodeManifest(await makeManifest(source), 'msgpack');
  console.log(
    `state of ${mib} MiB, ${file.length} bytes; manifest of ${bytes.length} bytes in ${Math.round(performance.now() - started)} ms`,
  );
  const manifest = decodeManifest(bytes);
  const raw = [...contents(file)].filter(({ isRaw }) => isRaw);
  for (let i = 0; i < FLIPS; i++) {
    const { start, end, frame } = raw[Math.floor(((i + 0.5) / FLIPS) * raw.length)];
    const offset = start + ((i * 977) % (end - start));
    const handle = await open(path, 'r+');
    await handle.write(Buffer.of(file[offset] ^ (1 << i)), 0, 1, offset);
    const { findings } = await compareWithManifest(source, manifest);
    const named = findings.filter(({ code }) => code === 'manifest-page').map(({ place }) => place.gcPhys);
    const isRight = named.length === 1 && named[0] === frame * PAGE;
    if (!isRight) failed++;
    console.log(
      `${isRight ? 'ok' : 'FAILED'}: bit ${i} at ${offset}: page 0x${(frame * PAGE).toString(16)}, named ${named.map((page) => `0x${page?.toString(16)}`).join(', ')}`,
    );
    await handle.write(file.subarray(offset, offset + 1), 0, 1, offset);
    await handle.close();
  }
  await source.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${FLIPS - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
