import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { newPairingCode } from '../../migrations/trust/pairing-code.ts';
import { askMachine } from '../control/control-client.ts';
import { sizeText } from '../terminal/size-text.ts';
import { table } from '../terminal/table.ts';
import { FrameProxy } from './frame-proxy.ts';

// npm run campaign -- migration-resume [--ram 256M,1G --cuts 3]: migrations over TLS whose link is cut several times.
// All cuts together may add 5 % to the bytes on the wire, besides the pages that the guest has written meanwhile.

const { values } = parseArgs({
  options: { ram: { type: 'string', default: '256M,1G' }, cuts: { type: 'string', default: '3' } },
});
const CUTS = Number(values.cuts);
const SHARE = 0.05;
const RATE = 2000;
process.env.SAVKIT_PAIRING_CODE = newPairingCode();

interface Passage {
  bytes: number;
  /** Bytes of pages that the guest has written meanwhile. */
  dirtied: number;
  attempts: number;
  faults: number;
}

const folder = mkdtempSync(join(tmpdir(), 'savkit-resume-'));
const lines: (string | number)[][] = [];
let failures = 0;
try {
  for (const ram of values.ram.split(',')) {
    const state = await fullState(ram);
    const whole = await migrate(state, 'idle', []);
    const cutsAt = Array.from({ length: CUTS }, (_, i) => ((i + 0.7) / CUTS) * whole.bytes);
    for (const workload of ['idle', 'random']) judge(ram, workload, whole, await migrate(state, workload, cutsAt));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  String(table(['RAM', 'workload', 'links', 'whole', 'with cuts', 'guest wrote', 'sent again', 'share', ''], lines)),
);
process.exit(failures === 0 ? 0 : 1);

/** A state whose memory is full. */
async function fullState(ram: string): Promise<string> {
  const [socket, state] = [join(folder, `${ram}.sock`), join(folder, `${ram}.sav`)];
  const machine = new SavkitProcess(
    'run',
    '--ram',
    ram,
    '--workload',
    'scan',
    '--rate',
    '1000000',
    '--bytes',
    String(PAGE_SIZE),
    '--socket',
    socket,
  );
  const { pages } = (await machine.event('running')).workload as { pages: number };
  const signal = AbortSignal.timeout(120_000);
  while ((await askMachine(socket, { command: 'status' }, () => {}, signal)).steps < pages) await setTimeout(200);
  await askMachine(socket, { command: 'save', path: state }, () => {}, signal);
  machine.child.kill('SIGKILL');
  return state;
}

async function migrate(state: string, workload: string, cutsAt: number[]): Promise<Passage> {
  const socket = join(folder, 'vm.sock');
  const source = new SavkitProcess(
    'run',
    state,
    '--workload',
    workload,
    '--rate',
    String(RATE),
    '--bytes',
    String(PAGE_SIZE),
    '--socket',
    socket,
  );
  const target = new SavkitProcess('receive', '--listen', '127.0.0.1:0', '--records', folder, '--run-for', '0.1');
  const proxy = await FrameProxy.open(await target.port(), false);
  try {
    const steps = Number((await source.event('running')).steps);
    proxy.atBytes = cutsAt.map((bytes) => ({ bytes, act: () => proxy.cut(false) }));
    const { result, error } = await new SavkitProcess(
      'migrate',
      socket,
      '--to',
      `127.0.0.1:${proxy.port}`,
      '--records',
      folder,
    ).ended;
    if (result.outcome !== 'handed-over') throw new Error(`it stayed: ${result.because ?? error}`);
    const dirtied = (Number((await source.ended).result.steps) - steps) * PAGE_SIZE;
    const { faults } = (await target.ended).result.workload as { faults: number };
    return {
      bytes: proxy.forth,
      dirtied: workload === 'idle' ? 0 : dirtied,
      attempts: Number(result.attempts),
      faults,
    };
  } finally {
    for (const { child } of [source, target]) child.kill('SIGKILL');
    proxy.close();
  }
}

function judge(ram: string, workload: string, whole: Passage, passage: Passage): void {
  const { bytes, dirtied, attempts, faults } = passage;
  const again = Math.max(0, bytes - whole.bytes - dirtied);
  const isGood = attempts === CUTS + 1 && faults === 0 && again < SHARE * whole.bytes;
  if (!isGood) failures++;
  const share = `${((100 * again) / whole.bytes).toFixed(2)} %`;
  lines.push([
    ram,
    workload,
    attempts,
    sizeText(whole.bytes),
    sizeText(bytes),
    sizeText(dirtied),
    sizeText(again),
    share,
    isGood ? 'good' : 'BAD',
  ]);
}
