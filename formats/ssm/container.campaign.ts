import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { SavkitError } from '../errors.ts';
import { bufferSource } from '../files/source.ts';
import { isPgm, PgmReader } from '../pgm/pgm-reader.ts';
import { openContainer } from './open.ts';
import { PayloadReader } from './payload.ts';

// Fuzzes the readers: npm run campaign -- container [--seconds 60] [--seed N] [STATE…]. Real states are changed in one
// to several places; every reading must end in values or in a SavkitError, soon, and in little memory. A V2.0 file that
// was changed is never taken for whole.

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  allowPositionals: true,
});
const STATES = fileURLToPath(new URL('../../../test-vectors/states/', import.meta.url));
const files =
  positionals.length > 0
    ? positionals
    : readdirSync(STATES)
        .filter((file) => file.endsWith('.sav'))
        .map((file) => join(STATES, file));
const originals = files.map((file) => ({ file, bytes: readFileSync(file) }));
/** For one case; the slowest machine needs a tenth of it. */
const TIME_LIMIT_MS = 20_000;
const MEMORY_LIMIT = 512 * 1024 * 1024;

let seed = Number(values.seed ?? Date.now() % 2 ** 31);
let state = 0;

function random(below: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
}

type Change = (bytes: Buffer) => Buffer;

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 4096, 4098, 65536];

const CHANGES: Record<string, Change> = {
  flip: (bytes) => {
    bytes[random(bytes.length)] ^= 1 << random(8);
    return bytes;
  },
  cut: (bytes) => bytes.subarray(0, random(bytes.length)),
  number: (bytes) => {
    bytes.writeUInt32LE(INTERESTING[random(INTERESTING.length)], random(bytes.length - 4));
    return bytes;
  },
  fill: (bytes) => {
    const at = random(bytes.length);
    return bytes.fill(random(2) * 255, at, Math.min(bytes.length, at + random(5000)));
  },
  move: (bytes) => {
    const from = random(bytes.length);
    bytes.copyWithin(random(bytes.length), from, from + random(5000));
    return bytes;
  },
  drop: (bytes) => {
    const at = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(300))]);
  },
  splice: (bytes) => {
    const other = originals[random(originals.length)].bytes;
    return Buffer.concat([bytes.subarray(0, random(bytes.length)), other.subarray(random(other.length))]);
  },
};

/** Reads all that can be read. @returns whether nothing was found */
async function readAll(bytes: Uint8Array): Promise<boolean> {
  let isWhole = true;
  const note = (error: unknown) => {
    if (!(error instanceof SavkitError)) throw error;
    isWhole = false;
  };
  try {
    const container = await openContainer(bufferSource(bytes), note);
    const pgm = new PgmReader(container);
    for (let goesOn = true; goesOn; ) {
      try {
        const unit = await container.nextUnit();
        if (!unit) break;
        if (isPgm(unit)) {
          await pgm.begin(unit);
          while (await pgm.nextPages()) pgm.batch.walk();
        } else await new PayloadReader(container).drain();
      } catch (error) {
        note(error);
        goesOn = await container.resync();
      }
    }
  } catch (error) {
    note(error);
  }
  return isWhole;
}

async function oneCase(): Promise<string | undefined> {
  state = seed;
  const { file, bytes } = originals[random(originals.length)];
  let changed: Buffer = Buffer.from(bytes);
  const names = Object.keys(CHANGES);
  const applied: string[] = [];
  for (let count = 1 + random(3); count > 0 && changed.length > 8; count--) {
    const name = names[random(names.length)];
    applied.push(name);
    changed = CHANGES[name](changed);
  }
  const about = `seed ${seed}: ${file}, ${applied.join(', ')}`;
  const start = performance.now();
  try {
    const isWhole = await readAll(changed);
    if (isWhole && changed.compare(bytes) !== 0 && bytes.toString('latin1', 24, 27) === '2.0')
      return `${about}: not noticed`;
  } catch (error) {
    return `${about}: ${(error as Error).stack}`;
  }
  if (performance.now() - start > TIME_LIMIT_MS) return `${about}: took ${Math.round(performance.now() - start)} ms`;
  if (process.memoryUsage.rss() > MEMORY_LIMIT) return `${about}: ${process.memoryUsage.rss()} bytes of memory`;
  return undefined;
}

const end = performance.now() + Number(values.seconds) * 1000;
const failures: string[] = [];
let cases = 0;
for (; performance.now() < end && failures.length < 20; seed++, cases++) {
  const failure = await oneCase();
  if (failure) failures.push(failure);
}
for (const failure of failures) console.log(failure);
console.log(`${cases - failures.length} passed, ${failures.length} failed`);
process.exitCode = failures.length > 0 || cases === 0 ? 1 : 0;
