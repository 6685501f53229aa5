import { fork } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliDecompressSync } from 'node:zlib';
import { SavkitError } from '../../../formats/errors.ts';
import { openFileSink } from '../../../formats/files/sink.ts';
import { type ByteSource, openFile, withBeside } from '../../../formats/files/source.ts';
import { MIB } from '../../../formats/sizes.ts';
import { QEMU_FOLDER } from '../../testing/qemu-samples.ts';
import { makeManifest } from '../manifest/manifest.ts';
import { checkQemu } from '../qemu-check/check-qemu.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import { salvageQemu } from '../qemu-salvage/salvage-qemu.ts';
import { inspectState } from './inspect-state.ts';
import { readState } from './read-state.ts';
import { CHANGES, type Draw } from './testing/qemu-damages.ts';
import { verifyState } from './verify-state.ts';

// Fuzzes the readers of QEMU's states by their structure: npm run campaign -- qemu-fuzz [--minutes 10] [--seed N]
// [--only] [STATE…]. Samples are changed in one to four places; every reading must end in values or in a SavkitError,
// soon, and in little memory. States are unpacked ones, or those that come with the project.

const { values, positionals } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    only: { type: 'boolean' },
  },
  allowPositionals: true,
});
/** Time for one reading of one case: long, as a busy machine is slow. */
const TIME_LIMIT_MS = 120_000;
/** Memory of one reading, besides that of node and of the changed copy. */
const MEMORY_LIMIT = 700 * MIB;

const FOLDER = join(tmpdir(), 'savkit-qemu-fuzz');

function samples(): { name: string; read: () => Buffer }[] {
  if (positionals.length > 0)
    return positionals.map((path) => ({ name: basename(path), read: () => readFileSync(path) }));
  return readdirSync(QEMU_FOLDER)
    .filter((name) => /\.(state|qcow2|save)\.br$/.test(name))
    .map((name) => ({
      name: name.slice(0, -3),
      read: () => brotliDecompressSync(readFileSync(join(QEMU_FOLDER, name))),
    }));
}

function drawFrom(seed: number): Draw {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

function damaged(seed: number): { name: string; bytes: Buffer; changes: string[] } {
  const draw = drawFrom(seed);
  const all = samples();
  const { name, read } = all[draw(all.length)];
  const names = Object.keys(CHANGES);
  const changes = Array.from({ length: 1 + draw(4) }, () => names[draw(names.length)]);
  let bytes = read();
  for (const change of changes) if (bytes.length > 16) bytes = CHANGES[change](bytes, draw);
  return { name, bytes, changes };
}

type Reading = (source: ByteSource, output: string) => Promise<unknown>;

const READINGS: Readonly<Record<string, Reading>> = {
  inspect: (source) => inspectState(source, { unit: 'cpu' }),
  verify: (source) => verifyState(source),
  read: (source) => readState(source),
  manifest: (source) => makeManifest(source),
  check: (source) => checkQemu(source, {}),
  salvage: (source, output) => into(output, (sink) => salvageQemu(source, sink, {})),
  convert: (source, output) => into(output, (sink) => convertQemu(source, sink, { to: 'plain' })),
};

async function into(
  path: string,
  write: (sink: Awaited<ReturnType<typeof openFileSink>>) => Promise<unknown>,
): Promise<void> {
  const sink = await openFileSink(path, { force: true });
  try {
    await write(sink);
  } finally {
    await sink.abort();
  }
}

/** Runs seeds one after the other, in a process of its own, which can be killed. */
async function runSeeds(): Promise<void> {
  const path = join(FOLDER, `case-${process.pid}`);
  process.on('uncaughtException', (error) => {
    process.send?.({ fault: `uncaught ${error.stack}` });
    process.exit(1);
  });
  for (let seed = Number(values.seed); ; seed++) {
    const { name, bytes, changes } = damaged(seed);
    writeFileSync(path, bytes);
    for (const [reading, run] of Object.entries(READINGS)) {
      process.send?.({ seed, reading, about: `${name}: ${changes.join(', ')}` });
      const source = withBeside(await openFile(path), { part: name.endsWith('.qcow2') ? 'snap2' : undefined });
      try {
        await run(source, `${path}.out`);
      } catch (error) {
        if (!(error instanceof SavkitError)) process.send?.({ fault: (error as Error).stack ?? String(error) });
      } finally {
        await source.close();
      }
      const { rss } = process.memoryUsage();
      if (rss > MEMORY_LIMIT + 3 * bytes.length) {
        process.send?.({ fault: `${Math.round(rss / MIB)} MiB of memory`, isGrown: true });
        process.exit(1);
      }
    }
    if (values.only) process.exit(0);
  }
}

interface Message {
  seed?: number;
  reading?: string;
  about?: string;
  fault?: string;
}

/**
 * Watches over a process that runs seeds from `first` on. @returns the next seed, the number of faults, and whether any
 * case was read
 */
function watch(
  first: number,
  end: number,
  only: boolean,
): Promise<{ next: number; faults: number; hasBegun: boolean }> {
  const words = ['--seed', String(first), ...(only ? ['--only'] : []), ...positionals];
  const child = fork(fileURLToPath(import.meta.url), words, { env: { ...process.env, SAVKIT_FUZZ_CHILD: '1' } });
  let last: Message = { seed: first - 1 };
  let since = Date.now();
  let faults = 0;
  const tell = (fault: string) => {
    faults++;
    console.log(`FAULT seed ${last.seed} ${last.reading} (${last.about}): ${fault}`);
  };
  const timer = setInterval(() => {
    if (Date.now() > end) child.kill('SIGKILL');
    else if (Date.now() - since > TIME_LIMIT_MS) {
      tell(`no end after ${TIME_LIMIT_MS / 1000} s`);
      clearInterval(timer);
      child.kill('SIGKILL');
    }
  }, 500);
  child.on('message', (message: Message) => {
    if (message.fault !== undefined) return tell(message.fault);
    last = message;
    since = Date.now();
  });
  return new Promise((resolve) =>
    child.on('exit', (code) => {
      clearInterval(timer);
      const hasBegun = last.reading !== undefined;
      if (code !== null && (code > 1 || !hasBegun)) tell(`ended with ${code}`);
      resolve({ next: (last.seed ?? first) + 1, faults, hasBegun });
    }),
  );
}

async function main(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const only = values.only === true;
  const end = Date.now() + Number(values.minutes) * 60_000;
  const first = Number(values.seed);
  let seed = first;
  let faults = 0;
  let run: Awaited<ReturnType<typeof watch>>;
  do {
    run = await watch(seed, end, only);
    seed = run.next;
    faults += run.faults;
  } while (Date.now() < end && run.hasBegun && !only);
  console.log(`${seed - first} cases, ${faults} faults`);
  process.exitCode = faults > 0 || seed === first ? 1 : 0;
}

if (process.env.SAVKIT_FUZZ_CHILD === '1') await runSeeds();
else await main();
