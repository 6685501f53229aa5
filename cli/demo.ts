import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SECRET_VARIABLES } from '../formats/world/secret-variables.ts';

// `npm run demo`: the main job on a real state that VirtualBox 7.2.22 wrote. Each step prints the command that it runs,
// to be tried by hand.

const root = fileURLToPath(new URL('../../', import.meta.url));
const state = 'test-vectors/states/own-long-live.sav';
const folder = mkdtempSync(join(tmpdir(), 'savkit-demo-'));

function savkit(...args: string[]): void {
  const shown = shownAs(args);
  console.log(`\n$ savkit ${shown}`);
  const { status } = spawnSync(process.execPath, [join(root, 'dist/bin/savkit.js'), ...args], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`savkit ${shown} ended with ${status}`);
}

/** The arguments without their folders, quoted for a shell where needed. */
function shownAs(args: readonly string[]): string {
  const names = args.map((arg) => (dirname(arg) === folder ? basename(arg) : arg));
  return names.map((arg) => (arg.includes(' ') ? `'${arg}'` : arg)).join(' ');
}

/** Starts a command in the background; its output comes at its end. */
function begin(...args: string[]): { child: ChildProcess; text: () => string; end: Promise<number | null> } {
  console.log(`\n$ savkit ${shownAs(args)} &`);
  const child = spawn(process.execPath, [join(root, 'dist/bin/savkit.js'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
  return { child, text: () => text, end: new Promise((resolve) => child.on('close', resolve)) };
}

/** Lets the machine of the state run a workload in one process, and go on in another one. */
async function migrateRunning(): Promise<void> {
  console.log(
    '\nNow the machine runs, with a workload that writes its memory and knows what each page must hold; and ' +
      'moves to another process, running.',
  );
  const socket = join(folder, 'vm.sock');
  const records = join(folder, 'records');
  const source = begin('run', state, '--workload', 'random', '--rate', '2000', '--socket', socket);
  const target = begin('receive', '--listen', '127.0.0.1:0', '--records', records, '--run-for', '1');
  try {
    for (let i = 0; i < 600 && !(source.text().includes('control socket') && target.text().includes('code')); i++)
      await setTimeout(50);
    await setTimeout(500);
    const port = /127\.0\.0\.1:(\d+)/.exec(target.text())?.[1] ?? '';
    process.env[SECRET_VARIABLES.pairingCode] = /one machine: (\S+)/.exec(target.text())?.[1] ?? '';
    savkit('migrate', socket, '--to', `127.0.0.1:${port}`, '--records', records);
    const ends = await Promise.all([source.end, target.end]);
    console.log(`\nThe target said:\n${target.text().replace(/^/gm, '  ').trimEnd()}`);
    console.log(
      `The source, which has let go of the machine: ${
        source
          .text()
          .split('\n')
          .find((line) => line.startsWith('ran')) ?? ''
      }`,
    );
    if (ends.some((status) => status !== 0)) throw new Error(`the processes ended with ${ends.join(' and ')}`);
  } finally {
    source.child.kill();
    target.child.kill();
  }
}

try {
  console.log('A virtual machine, saved while it ran (VirtualBox 7.2.22, 4 MiB of RAM, our own ROM).');
  savkit('inspect', state);
  savkit('verify', '--units', state);
  const memory = join(folder, 'memory.raw');
  savkit('extract', state, '-o', memory);
  savkit('extract', state, '--format', 'elf', '-o', join(folder, 'memory.elf'));
  savkit('extract', state, '--rom', 'PC BIOS - 0xfffff', '-o', join(folder, 'bios.rom'));
  const truth = JSON.parse(readFileSync(join(root, state.replace('.sav', '.json')), 'utf8')) as {
    ram: { low: { sha256: string } };
  };
  const hash = createHash('sha256').update(readFileSync(memory)).digest('hex');
  const text = readFileSync(memory).subarray(0x1008, 0x1020).toString('latin1').trim();
  console.log(`\nThe guest left this text at 0x1008: "${text}"`);
  console.log(`SHA-256 of its memory: ${hash}`);
  if (hash !== truth.ram.low.sha256) throw new Error(`the memory is not what VirtualBox had: ${truth.ram.low.sha256}`);
  console.log('which is what the memory of the machine had when VirtualBox itself loaded this state.');
  await migrateRunning();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
