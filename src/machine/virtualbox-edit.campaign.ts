import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { STATES_FOLDER } from '../testing/states.ts';
import { VirtualBox } from '../testing/virtualbox.ts';
import { poke } from './edit.ts';
import { loadState } from './load.ts';
import { saveState } from './save.ts';

// npm run campaign -- virtualbox-edit [STATE=MACHINE…]: writes bytes into states, and has a real VirtualBox 7.2 load
// them: its own dump of memory must differ from that of the untouched state in exactly these pages, and the registers
// in nothing.

const pairs = process.argv.slice(2);
const tools = (await VirtualBox.find()).folder;
const loader = join(tools, 'load-state.sh');
const jobs = (
  pairs.length > 0
    ? pairs
    : ['own-pae.sav=own2', 'own-long.sav=own3', 'own-long-live.sav=own3'].map((pair) => join(STATES_FOLDER, pair))
).map((pair) => pair.split('='));
/** Places of the written bytes: within a page, across two, a whole page, up to the end of conventional memory. */
const WRITES: readonly [number, number][] = [
  [0x21004, 4],
  [0x2fffe, 5],
  [0x38000, PAGE_SIZE],
  [0x9f123, 0xedd],
];

const folder = mkdtempSync(join(tmpdir(), 'savkit-edit-'));
let failures = 0;
let dumps = 0;
try {
  for (const [state, machine] of jobs) await check(state, machine);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  failures === 0
    ? `${jobs.length} states: VirtualBox has exactly the bytes that were written`
    : `${failures} states FAILED`,
);
process.exitCode = failures === 0 ? 0 : 1;

async function check(state: string, machineName: string): Promise<void> {
  const edited = join(folder, 'edited.sav');
  await edit(state, edited);
  const cores = [dump(state, machineName), dump(edited, machineName)];
  const compared = spawnSync(join(tools, 'corecmp.py'), [...cores, '--registers'], { encoding: 'utf8' });
  const expected = [...new Set(WRITES.flatMap(([at, size]) => pagesOf(at, size)))].map(
    (page) => `0x${page.toString(16)}`,
  );
  const found = /pages differ: (.*)/.exec(compared.stdout)?.[1].trim().split(/\s+/) ?? [];
  const good = String(found) === String(expected) && compared.stdout.includes('registers identical');
  if (!good) failures++;
  console.log(
    `${good ? 'ok  ' : 'FAIL'} ${state} in ${machineName}${good ? '' : `\n${compared.stdout}${compared.stderr}`}`,
  );
}

async function edit(state: string, output: string): Promise<void> {
  const source = await openFile(state);
  const machine = await loadState(source);
  const { memory } = machine;
  for (const [at, size] of WRITES) {
    const bytes = new Uint8Array(size);
    memory.read(at, bytes, 'device');
    poke(
      memory,
      at,
      bytes.map((byte) => byte ^ 0x5a),
    );
  }
  const sink = await openFileSink(output, { force: true });
  await saveState(machine, sink);
  await sink.commit();
  await source.close();
}

function dump(state: string, machineName: string): string {
  const core = join(folder, `${dumps++}.elf`);
  execFileSync(loader, [state, machineName, '--core', core], { encoding: 'utf8' });
  return core;
}

function pagesOf(at: number, size: number): number[] {
  const pages: number[] = [];
  for (let page = at - (at % PAGE_SIZE); page < at + size; page += PAGE_SIZE) pages.push(page);
  return pages;
}
