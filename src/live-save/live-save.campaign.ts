import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnvironmentError, SavkitError } from '../../formats/errors.ts';
import { type FileSink, openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { MIB } from '../../formats/sizes.ts';
import { loadState } from '../machine/load.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { Guest } from '../running/guest.ts';
import { mix } from '../running/pattern.ts';
import { RunningMachine } from '../running/running-machine.ts';
import type { WorkloadKind } from '../running/schedule.ts';
import { verify } from '../saved-state/verify/verify.ts';
import { liveSave } from './live-save.ts';
import { memoryDigest } from './testing/memory-digest.ts';

// npm run campaign -- live-save [MINUTES [SEED [MIB…]]] [WORKLOAD…]: machines of 64 MiB to 4 GiB run every workload at
// random rates and are saved live again and again; saves fail at random writes or are cancelled at random times. After
// each failure the machine must be unharmed; each file must be whole, hold the memory of the machine as it stood, and
// go on from there. At most 10 minutes where nothing else is said.

const ALL_KINDS: readonly WorkloadKind[] = ['counter', 'hot', 'random', 'scan', 'alloc', 'device'];
const args = process.argv.slice(2);
const named = ALL_KINDS.filter((kind) => args.includes(kind));
const KINDS = named.length > 0 ? named : ALL_KINDS;
const [minutes = 10, seed = 1, ...wanted] = args.filter((arg) => /^\d/.test(arg)).map(Number);
const sizes = wanted.length > 0 ? wanted : [64, 256, 1024, 4096];
const until = performance.now() + minutes * 60_000;
const folder = mkdtempSync(join(tmpdir(), 'savkit-live-save-'));
/**
 * VirtualBox's vote need never end: if each pass takes so long that no page of a small hot set is quiet for one,
 * nothing is saved, and no speed is known by which the rest would fit. A save without end is no fault, but must do no
 * harm.
 */
const MAX_PASSES = 2000;
const tally = { saved: 0, failed: 0, cancelled: 0, endless: 0, machines: 0 };

let drawn = 0;
/** A whole number below `limit`. */
const draw = (limit: number) => mix(seed, drawn++) % limit;

try {
  for (let round = 0; performance.now() < until; round++)
    await tryMachine(KINDS[round % KINDS.length], sizes[Math.floor(round / KINDS.length) % sizes.length]);
  console.log(
    `${tally.machines} machines: ${tally.saved} saves whole and equal, ${tally.failed} failed and ${tally.cancelled} cancelled ones, and ${tally.endless} without an end, did no harm`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function tryMachine(kind: WorkloadKind, mib: number): Promise<void> {
  const rate = 200 + draw(20_000);
  const running = RunningMachine.of(await emptyMachine(mib * MIB), {
    kind,
    rate,
    seed: draw(1000),
    patternSize: 16 * (1 + draw(256)),
    pages: 1 + draw(5000),
  });
  console.log(`${mib} MiB, ${kind} at ${rate} pages/s`);
  // Up to 64 Ki pages hold something before.
  for (let i = draw(64); i > 0; i--) running.runSteps(1024);
  running.resume();
  tally.machines++;
  for (let attempt = 0; attempt < 4 && performance.now() < until; attempt++) {
    if (draw(2) === 0) await trySpoiled(running);
    else await tryWhole(running).catch((error) => noteEndless(running, error));
  }
  if (running.state === 'running') running.stop();
}

/** Makes a save fail, or cancels it; a quick one may succeed before. */
async function trySpoiled(running: RunningMachine): Promise<void> {
  const cancels = draw(2) === 0;
  const abort = new AbortController();
  const timer = cancels ? setTimeout(() => abort.abort(), draw(400)) : undefined;
  let writes = cancels ? Number.POSITIVE_INFINITY : draw(40);
  const sink = {
    async write() {
      if (writes-- <= 0) throw new EnvironmentError('EIO', 'Cannot write: made to fail');
    },
  };
  try {
    await liveSave(running, sink, { signal: abort.signal });
  } catch (error) {
    if (!(error instanceof SavkitError)) throw error;
    tally[cancels ? 'cancelled' : 'failed']++;
  } finally {
    clearTimeout(timer);
  }
  expectUnharmed(running);
}

function expectUnharmed(running: RunningMachine): void {
  const { counts } = running.memory.pages;
  const left = {
    state: running.state,
    monitored: counts.monitored,
    writtenTo: counts.writtenTo,
    user: running.memory.monitor.user,
    faults: running.selfCheck().faults,
  };
  const expected = { state: 'running', monitored: 0, writtenTo: 0, user: undefined, faults: [] };
  if (JSON.stringify(left) !== JSON.stringify(expected))
    throw new Error(`A failed save did harm: ${JSON.stringify(left)}`);
}

function noteEndless(running: RunningMachine, error: unknown): void {
  if (!(error instanceof SavkitError) || error.code !== 'too-many-passes') throw error;
  console.log(`  no agreement after ${MAX_PASSES} passes`);
  tally.endless++;
  expectUnharmed(running);
}

async function tryWhole(running: RunningMachine): Promise<void> {
  const path = join(folder, 'live.sav');
  const sink: FileSink = await openFileSink(path, { force: true });
  const { passes, downtimeMs } = await liveSave(running, sink, {
    leaveSuspended: true,
    limits: { passes: MAX_PASSES },
  });
  await sink.commit();
  const stood = memoryDigest(running.memory);
  const { steps } = running.guest.block;
  running.resume();
  const source = await openFile(path);
  const { verdict } = await verify(source);
  const { memory } = await loadState(source);
  await source.close();
  const guest = Guest.find(memory);
  const loaded = memoryDigest(memory);
  guest?.tick(1000);
  const report = {
    verdict,
    equal: loaded === stood,
    steps: guest?.block.steps,
    faults: [...(guest?.check().faults ?? []), ...running.selfCheck().faults],
  };
  const expected = { verdict: 'whole', equal: true, steps: steps + 1000, faults: [] };
  if (JSON.stringify(report) !== JSON.stringify(expected))
    throw new Error(`A live save went wrong: ${JSON.stringify(report)}`);
  console.log(`  saved in ${passes.length} passes, stood for ${downtimeMs.toFixed(1)} ms`);
  tally.saved++;
}
