import { bufferSource } from '../../formats/files/source.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { loadState } from '../machine/load.ts';
import type { Machine } from '../machine/machine.ts';
import { saveState } from '../machine/save.ts';
import { HOST_MODES } from '../paging/modes.ts';
import { checkConsistency } from '../paging/shadow/consistency-check.ts';
import { checkHandlers } from '../paging/shadow/handler-integrity.ts';
import { checkPool } from '../paging/shadow/pool-check.ts';
import { Random } from '../paging/testing/random-tables.ts';
import { checkIntegrity } from '../pgm/memory-integrity.ts';
import { emptyMachine } from './empty-machine.ts';
import { RunningMachine } from './running-machine.ts';

// Machines on random hosts, with shadow tables, beside the same machines without: both run the same guest, and are
// reset, saved, loaded and moved at the same moments; memory must be the same all the time.
// node dist/src/running/machine.campaign.js [SEEDS [FIRST]]

const RAM = 4 * MIB;
const STEPS = 12;
const [seeds = 2000, first = 1] = process.argv.slice(2).map(Number);

let failed = 0;
for (let seed = first; seed < first + seeds; seed++) {
  const fault = await play(seed);
  if (fault === undefined) continue;
  failed++;
  console.log(`seed ${seed}: ${fault}`);
}
console.log(`${seeds - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

async function play(seed: number): Promise<string | undefined> {
  const random = new Random(seed);
  const cpus = 1 + random.below(3);
  const workload = { kind: 'paging', seed, pages: 10 + random.below(200) } as const;
  let [real, naive] = [
    RunningMachine.of(await emptyMachine(RAM, { cpus }), workload),
    RunningMachine.of(await emptyMachine(RAM, { cpus }), workload),
  ];
  shadow(real.machine, random);
  for (let step = 0; step < STEPS; step++) {
    const steps = 1 + random.below(300);
    real.runSteps(steps);
    naive.runSteps(steps);
    switch (random.below(6)) {
      case 0:
        for (const machine of [real, naive]) machine.reset();
        break;
      case 1:
        real.machine.relocate(random.below(8) * 4 * MIB);
        break;
      case 2:
        [real, naive] = [await again(real.machine), await again(naive.machine)];
        shadow(real.machine, random);
        break;
      case 3:
        real.machine.shadow?.clearAll();
        break;
    }
    const fault = faultOf(real, naive);
    if (fault !== undefined) return `step ${step}: ${fault}`;
  }
  return undefined;
}

function shadow(machine: Machine, random: Random): void {
  const host = HOST_MODES[random.below(HOST_MODES.length)];
  const kind = random.below(4);
  machine.usePaging(
    { host, hardware: kind > 0, nestedPaging: kind === 2 ? 'nested' : kind === 3 ? 'ept' : undefined },
    { poolPages: 48 + random.below(64) },
  );
}

async function again(machine: Machine): Promise<RunningMachine> {
  const sink = new MemorySink();
  await saveState(machine, sink);
  return RunningMachine.of(await loadState(bufferSource(sink.view())));
}

function faultOf(real: RunningMachine, naive: RunningMachine): string | undefined {
  const { machine } = real;
  const [fault] = [...real.selfCheck().faults, ...naive.selfCheck().faults];
  if (fault) return `${fault.what} ${fault.place}: ${fault.found}, expected ${fault.expected}`;
  const [theirs, ours] = [new Uint8Array(PAGE_SIZE), new Uint8Array(PAGE_SIZE)];
  for (let at = 0; at < RAM; at += PAGE_SIZE) {
    machine.memory.read(at, ours, 'device');
    naive.memory.read(at, theirs, 'device');
    if (Buffer.compare(ours, theirs) !== 0) return `memory at 0x${at.toString(16)} differs`;
  }
  const { shadow: tables } = machine;
  if (!tables) return undefined;
  const breaches = [...tables.cpus.flatMap((cpu) => checkConsistency(cpu)), ...checkPool(tables)];
  return breaches[0]?.message ?? checkHandlers(tables)[0] ?? checkIntegrity(machine.memory)[0];
}
