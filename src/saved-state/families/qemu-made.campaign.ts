import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openFileSink } from '../../../formats/files/sink.ts';
import { type ByteSource, openFile, withBeside } from '../../../formats/files/source.ts';
import { compareWithQemuTruth } from '../../testing/against-qemu-truth.ts';
import type { QemuTruth } from '../../testing/qemu-samples.ts';
import { MemoryTarget, sha256 } from '../../testing/states.ts';
import { extract } from '../extract/extract.ts';
import { convertQemu } from '../qemu-convert/convert-qemu.ts';
import type { QemuForm } from '../qemu-convert/forms.ts';

// Has real QEMUs save machines of every kind, compares memory and registers as savkit reads them with QEMU's own
// answers, converts the states, and has QEMU load the results:
// npm run campaign -- qemu-made [--large] [--only WORDS] [--from WORDS]: rows whose names have the WORDS of --only, from
// the first row on that has those of --from.

const SCRIPTS = resolve(process.env.SAVKIT_QEMU ?? '../shared/qemu');
const LIMIT_MS = 30 * 60_000;

/** Kind of state, version of QEMU, options of the machine. */
const MADE: [string, string, string[]][] = [
  ['stream', '7', ['--guest', 'mini-long']],
  ['stream', '10', ['--guest', 'mini-pae', '--machine', 'q35', '--ram', '64']],
  ['stream', '7', ['--guest', 'mini-smp', '--cpus', '2', '--ram', '32']],
  ['stream', '10', ['--guest', 'mini-long', '--cpus', '4', '--ram', '128']],
  ['running', '10', ['--guest', 'mini-long']],
  ['live', '10', ['--guest', 'mini-noise', '--ram', '64']],
  ['ignore-shared', '7', ['--guest', 'mini-long']],
  ['ignore-shared', '10', ['--guest', 'mini-prot', '--machine', 'q35']],
  ['no-vmdesc', '10', ['--guest', 'mini-long']],
  ['mapped', '10', ['--guest', 'mini-long', '--ram', '256']],
  ['mapped-multifd', '10', ['--guest', 'mini-pae']],
  ['qcow2', '7', ['--guest', 'mini-long', '--cluster', '4096']],
  ['qcow2', '10', ['--guest', 'mini-long', '--qcow2-options', ',extended_l2=on']],
  ['compress', '7', ['--guest', 'mini-long']],
  ['stream', '10', ['--guest', 'mini-la57', '--machine', 'pc-q35-10.0']],
  ['stream', '7', ['--guest', 'mini-prot', '--machine', 'pc-q35-7.2', '--ram', '2048']],
  ['stream', '7', ['--guest', 'mini-real', '--cpus', '3']],
  ['mapped', '10', ['--guest', 'mini-la57', '--machine', 'q35', '--ram', '2048']],
  ['mapped-live', '10', ['--guest', 'mini-noise', '--ram', '64']],
  ['mapped-multifd', '10', ['--guest', 'mini-smp', '--cpus', '2', '--machine', 'q35', '--ram', '512']],
  ['qcow2', '10', ['--guest', 'mini-pae', '--sets', '3', '--cluster', '2097152']],
  ['qcow2', '7', ['--guest', 'mini-smp', '--cpus', '2', '--sets', '2', '--cluster', '512']],
  ['qcow2', '7', ['--guest', 'mini-prot', '--qcow2-options', ',extended_l2=on', '--cluster', '131072']],
  ['stream', '7', ['--guest', 'mini-long', '--ram', '256', '--', '-machine', 'max-ram-below-4g=128M']],
  ['mapped', '10', ['--guest', 'mini-long', '--ram', '256', '--', '-machine', 'max-ram-below-4g=128M']],
  ['postcopy', '10', ['--guest', 'mini-long']],
  ['xbzrle', '10', ['--guest', 'mini-noise', '--ram', '32']],
  ['xbzrle', '10', ['--guest', 'mini-smp', '--cpus', '2']],
];
/** Guests with RAM above the hole: minutes each. */
const LARGE: typeof MADE = [
  ['stream', '10', ['--guest', 'mini-long', '--ram', '4096']],
  ['mapped', '10', ['--guest', 'mini-long', '--machine', 'q35', '--ram', '3072']],
];

let passed = 0;
let failed = 0;

function tell(name: string, differences: readonly string[]): void {
  for (const difference of differences) console.log(`${name}: ${difference}`);
  console.log(`${differences.length === 0 ? 'ok    ' : 'FAILED'} ${name}`);
  if (differences.length === 0) passed++;
  else failed++;
}

function run(script: string, words: readonly string[]): { ok: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync(join(SCRIPTS, script), words, { encoding: 'utf8', timeout: LIMIT_MS });
  return { ok: status === 0, output: `${stdout}${stderr}`.trim() };
}

async function sourceOf(path: string, truth: QemuTruth): Promise<ByteSource> {
  return withBeside(await openFile(path), {
    part: path.endsWith('.qcow2') ? (truth.container?.snapshots?.at(-1)?.name ?? 'snap1') : undefined,
    ram: truth.refused || truth.ram.inState ? [] : [{ source: await openFile(path.replace(/\.state$/, '.ram')) }],
  });
}

function rowName([kind, qemu, options]: (typeof MADE)[number]): string {
  return [kind, `QEMU ${qemu}`, ...options].join(' ');
}

/** Value of an option; empty where it is not given. */
function given(option: string): string {
  const place = process.argv.indexOf(option);
  return place < 0 ? '' : (process.argv[place + 1] ?? '');
}

async function judge(folder: string, row: (typeof MADE)[number]): Promise<void> {
  const [kind, qemu, options] = row;
  const name = rowName(row);
  const out = join(folder, 'made');
  const made = run('make-state.sh', [kind, out, '--qemu', qemu, ...options]);
  if (!made.ok) return tell(name, [made.output]);
  const path = `${out}.${kind === 'qcow2' ? 'qcow2' : 'state'}`;
  const truth = JSON.parse(readFileSync(`${out}.json`, 'utf8')) as QemuTruth;
  const source = await sourceOf(path, truth);
  if (truth.refused) return judgeByLoading(source, path, options, name);
  try {
    tell(name, await compareWithQemuTruth(source, truth));
    const forms: QemuForm[] = qemu === '10' ? ['plain', 'mapped-ram'] : ['plain'];
    // A snapshot's machine has a disk, which the judge does not attach.
    for (const to of kind === 'qcow2' ? [] : forms) await convertAndLoad(source, out, to, name);
  } finally {
    for (const { source: ram } of source.ram ?? []) await ram.close();
    await source.close();
  }
}

/** Compares with the memory of a QEMU that has loaded the state, where the independent reader refuses it. */
async function judgeByLoading(source: ByteSource, path: string, options: string[], name: string): Promise<void> {
  const ram = new MemoryTarget();
  await extract(source, ram).finally(() => source.close());
  const own = path.replace(/\.state$/, '.ram');
  // The file has the memory as QEMU held it while the machine stood still: QEMU 10 does not load pages that 7.2
  // compressed.
  if (existsSync(own)) return tell(name, sha256(ram.bytes) === sha256(readFileSync(own)) ? [] : ['memory is another']);
  const words = [path, '--truth', '/no/such/file', '--save-ram', `${path}.loaded`, '--qemu', '10', ...options];
  const loaded = run('load-state.sh', words);
  const isEqual = loaded.ok && sha256(ram.bytes) === sha256(readFileSync(`${path}.loaded`));
  tell(name, isEqual ? [] : [loaded.ok ? "memory differs from QEMU's" : loaded.output]);
}

async function convertAndLoad(source: ByteSource, out: string, to: QemuForm, name: string): Promise<void> {
  const sink = await openFileSink(`${out}-converted.state`, { force: true });
  try {
    const { proof } = await convertQemu(source, sink, { to });
    await sink.commit();
    const loaded = run('load-state.sh', [`${out}-converted.state`, '--truth', `${out}.json`, '--run', '0.5']);
    const isRunning = loaded.output.includes('running after');
    tell(`${name} as ${to}`, proof?.equal && loaded.ok && isRunning ? [] : [JSON.stringify(proof), loaded.output]);
  } finally {
    await sink.abort();
  }
}

if (!existsSync(join(SCRIPTS, 'make-state.sh'))) {
  console.log(`No QEMU: SAVKIT_QEMU names the folder of its scripts, and there is none at ${SCRIPTS}`);
  process.exit(2);
}
const folder = mkdtempSync(join(tmpdir(), 'savkit-qemu-made-'));
try {
  const rows = process.argv.includes('--large') ? [...MADE, ...LARGE] : MADE;
  const has = (row: (typeof MADE)[number], words: string) => rowName(row).includes(words);
  const first = rows.findIndex((row) => has(row, given('--from')));
  for (const row of rows.slice(first < 0 ? rows.length : first))
    if (has(row, given('--only'))) await judge(folder, row);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
