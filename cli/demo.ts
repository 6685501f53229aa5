import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// `npm run demo`: the main job on a real state that VirtualBox 7.2.22 wrote. Each step prints the command that it runs, to be tried by hand.

const root = fileURLToPath(new URL('../../', import.meta.url));
const state = 'test-vectors/states/own-long-live.sav';
const folder = mkdtempSync(join(tmpdir(), 'savkit-demo-'));

function savkit(...args: string[]): void {
  const shown = args.map((arg) => arg.replace(`${folder}/`, '')).join(' ');
  console.log(`\n$ savkit ${shown}`);
  const { status } = spawnSync(process.execPath, [join(root, 'dist/cli/main.js'), ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error(`savkit ${shown} ended with ${status}`);
}

try {
  console.log('A virtual machine, saved while it ran (VirtualBox 7.2.22, 4 MiB of RAM, our own ROM).');
  savkit('inspect', state);
  savkit('verify', '--units', state);
  const memory = join(folder, 'memory.raw');
  savkit('extract', state, '-o', memory);
  savkit('extract', state, '--format', 'elf', '-o', join(folder, 'memory.elf'));
  savkit('extract', state, '--rom', 'PC BIOS - 0xfffff', '-o', join(folder, 'bios.rom'));
  const truth = JSON.parse(readFileSync(join(root, state.replace('.sav', '.json')), 'utf8')) as { ram: { low: { sha256: string } } };
  const hash = createHash('sha256').update(readFileSync(memory)).digest('hex');
  const text = readFileSync(memory).subarray(0x1008, 0x1020).toString('latin1').trim();
  console.log(`\nThe guest left this text at 0x1008: "${text}"`);
  console.log(`SHA-256 of its memory: ${hash}`);
  if (hash !== truth.ram.low.sha256) throw new Error(`the memory is not what VirtualBox had: ${truth.ram.low.sha256}`);
  console.log('which is what the memory of the machine had when VirtualBox itself loaded this state.');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
