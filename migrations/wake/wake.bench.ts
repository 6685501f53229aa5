import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchContext, BenchRow, Measured } from '../../src/bench/row.ts';

// Time that `savkit wake` takes for a Linux guest of 128 MiB, from its start to the state that is written and proved in
// the stopped QEMU, with the start of savkit and of both QEMUs. The load of the host is printed beside it, since other
// processes make the figure meaningless.

const SAVKIT = fileURLToPath(new URL('../../bin/savkit.js', import.meta.url));
const SAMPLES = resolve('../shared/samples/wake');
const QEMU = 'qemu-system-x86_64';
const SECONDS = 5;
const FILES = ['wkk.sav', 'wkk.raw'] as const;
const MAX_FILE = 2 ** 30;

async function prepare({ folder }: BenchContext): Promise<void> {
  for (const name of FILES)
    if (!existsSync(join(folder, name)))
      writeFileSync(
        join(folder, name),
        execFileSync('xz', ['-dc', join(SAMPLES, `${name}.xz`)], { maxBuffer: MAX_FILE }),
      );
}

function run({ folder }: BenchContext): Measured {
  const [state, disk] = FILES.map((name) => join(folder, name));
  const [load] = loadavg();
  const output = join(folder, 'wkk.qemu');
  const start = performance.now();
  execFileSync(process.execPath, [SAVKIT, 'wake', state, '--disk', `ide0:0=${disk}`, '-f', '-q', '-o', output]);
  const ms = performance.now() - start;
  rmSync(output);
  return {
    ms,
    figures: [
      { name: '128 MiB woken and proved', value: ms / 1000, unit: 's', atMost: SECONDS },
      { name: 'load of the host before', value: load, unit: '' },
    ],
  };
}

function missing(): string | undefined {
  if (!existsSync(join(SAMPLES, `${FILES[0]}.xz`))) return `there is no ${SAMPLES}`;
  return spawnSync(QEMU, ['--version']).error ? `there is no ${QEMU}` : undefined;
}

export const rows: BenchRow[] = [{ name: 'savkit wake, 128 MiB', prepare, run, missing }];
