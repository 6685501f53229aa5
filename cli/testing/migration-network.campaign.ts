import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { MigrationReport } from '../../migrations/report.ts';
import { newPairingCode } from '../../migrations/trust/pairing-code.ts';
import { shapeVeth } from './shaped-link.ts';

// npm run campaign:migration-network [-- --ram 64M,256M --workloads random,scan --links plain,slow]: every workload from one network namespace to another
// over a link with delay, loss and a limited rate; TLS with a pairing code. Needs root and `ip netns`. Where the kernel has no netem the link
// is shaped by its queue alone (tbf), and it says so.

const { values } = parseArgs({
  options: {
    ram: { type: 'string', default: '64M' },
    workloads: { type: 'string', default: 'idle,counter,hot,random,scan,alloc,device' },
    links: { type: 'string', default: 'plain,slow,lossy' },
    rate: { type: 'string', default: '2000' },
  },
});
const main = fileURLToPath(new URL('../main.js', import.meta.url));
const NAMES = { source: 'savkit-source', target: 'savkit-target' } as const;
const TARGET_ADDRESS = '10.213.47.2';

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

/** Two namespaces with a cable between them. */
function openNetwork(): void {
  closeNetwork();
  for (const name of Object.values(NAMES)) ip('netns', 'add', name);
  ip('link', 'add', 'svk0', 'netns', NAMES.source, 'type', 'veth', 'peer', 'name', 'svk1', 'netns', NAMES.target);
  for (const [name, device, address] of [
    [NAMES.source, 'svk0', '10.213.47.1/24'],
    [NAMES.target, 'svk1', `${TARGET_ADDRESS}/24`],
  ]) {
    ip('-n', name, 'addr', 'add', address, 'dev', device);
    ip('-n', name, 'link', 'set', device, 'up');
    ip('-n', name, 'link', 'set', 'lo', 'up');
  }
}

function closeNetwork(): void {
  for (const name of Object.values(NAMES)) {
    try {
      ip('netns', 'del', name);
    } catch {
      // It was not there.
    }
  }
}

function savkitIn(side: keyof typeof NAMES, args: string[], code: string): ChildProcess {
  const env = { ...process.env, SAVKIT_PAIRING_CODE: code };
  return spawn('ip', ['netns', 'exec', NAMES[side], process.execPath, main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

function outputOf(child: ChildProcess): Promise<string> {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  child.stderr?.resume();
  return new Promise((resolve) => child.on('close', () => resolve(text)));
}

interface Received {
  workload: { steps: number; ticks: number; checkedPages: number; faults: number };
}

/** One machine from the one namespace to the other. @returns whether all was well */
async function tryOnce(ram: string, workload: string, link: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'savkit-network-'));
  const socket = join(folder, 'vm.sock');
  const code = newPairingCode();
  const source = savkitIn('source', ['run', '--ram', ram, '--workload', workload, '--rate', values.rate, '--socket', socket, '--json'], code);
  const target = savkitIn('target', ['receive', '--listen', `${TARGET_ADDRESS}:7000`, '--records', folder, '--run-for', '1', '--json', '--wait', '120'], code);
  const [ran, received] = [outputOf(source), outputOf(target)];
  try {
    for (let i = 0; i < 200 && !existsSync(socket); i++) await setTimeout(50);
    await setTimeout(1500);
    const migration = savkitIn(
      'source',
      ['migrate', socket, '--to', `${TARGET_ADDRESS}:7000`, '--records', folder, '--json', '--time-limit', '90', '--on-time-limit', 'throttle'],
      code,
    );
    const report = JSON.parse(await outputOf(migration)).files[0].result as MigrationReport | null;
    if (report?.outcome !== 'handed-over') {
      console.log(`BAD   ${ram} ${workload} ${link}: ${report?.because ?? 'no report'}`);
      return false;
    }
    const here = JSON.parse(await ran).files[0].result as { steps: number };
    const there = JSON.parse(await received).files[0].result as Received;
    const isGood = there.workload.faults === 0 && there.workload.steps >= here.steps && report.proof !== undefined;
    const { rounds, bytes, totalMs, downtimeMs } = report;
    const figures = `${rounds.length} rounds, ${(bytes / 1e6).toFixed(1)} MB, ${(totalMs / 1000).toFixed(1)} s, stood still ${downtimeMs.toFixed(0)} ms`;
    console.log(
      `${isGood ? 'good' : 'BAD '}  ${ram.padEnd(5)} ${workload.padEnd(8)} ${link.padEnd(6)} ${figures}; ${there.workload.checkedPages} pages checked, ${there.workload.faults} faults, steps ${here.steps} → ${there.workload.steps}`,
    );
    return isGood;
  } finally {
    source.kill('SIGKILL');
    target.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
}

let failures = 0;
openNetwork();
try {
  for (const link of values.links.split(',')) {
    console.log(
      `link ${link}: ${shapeVeth(link, [
        [NAMES.source, 'svk0'],
        [NAMES.target, 'svk1'],
      ])}`,
    );
    for (const ram of values.ram.split(',')) for (const workload of values.workloads.split(',')) if (!(await tryOnce(ram, workload, link))) failures++;
  }
} finally {
  closeNetwork();
}
console.log(failures === 0 ? 'every workload arrived, self-check clean' : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);
