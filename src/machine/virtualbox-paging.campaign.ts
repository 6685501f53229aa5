import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { writeFileSink } from '../../formats/files/sink.ts';
import { openFile } from '../../formats/files/source.ts';
import { PGM_VERSIONS } from '../../formats/pgm/versions.ts';
import { GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { mappingsOf } from '../paging/mappings-of.ts';
import { NO_FAULT } from '../paging/page-fault.ts';
import { type HostPaging, hostPagingText } from '../paging/shadow-mode.ts';
import { extract } from '../saved-state/extract/extract.ts';
import type { SavedState } from '../saved-state/reading/state.ts';
import { walkState } from '../saved-state/reading/walk.ts';
import { withPgm } from '../testing/convert-file.ts';
import { Score, statesWithMachines, VirtualBox } from '../testing/virtualbox.ts';
import { loadState } from './load.ts';
import type { Machine } from './machine.ts';
import { saveState } from './save.ts';

// npm run campaign -- virtualbox-paging: loads states, lets their CPUs run on shadow tables, write by virtual
// addresses, change control registers and root, and gives the hypervisor's mappings other places; saves them, and hands
// the states to the real VirtualBox. Its memory and registers are compared with those of the machine as it was saved.
// With the states of statesWithMachines(), as they are and in the older versions of the unit pgm that VirtualBox 7.2
// loads.

const HOSTS: readonly HostPaging[] = [
  { host: 'AMD64+G+NX', hardware: false },
  { host: 'PAE+NX', hardware: true },
  { host: 'AMD64+G+NX', hardware: true, nestedPaging: 'ept' },
];
const OLDER_VERSIONS = [10, 11, 12, 13];
/** Address that these guests of 16 MiB do not use. */
const NEW_ROOT = 0x9_0000;
const FIXED = { base: 2 * GIB + 256 * MIB, size: 64 * MIB };
const CR0_WP = 1n << 16n;
const CR4_PGE = 1n << 7n;

const virtualBox = await VirtualBox.find();
const score = new Score();
const folder = mkdtempSync(join(tmpdir(), 'savkit-paging-'));
try {
  for (const { path, machine } of statesWithMachines()) {
    for (const host of HOSTS) await tryState(path, machine, host);
    for (const pgm of OLDER_VERSIONS) await tryState(await withPgm(path, pgm, folder), machine, HOSTS[0]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
score.close();

async function tryState(path: string, machineName: string, host: HostPaging): Promise<void> {
  const what = `${basename(path)} on ${hostPagingText(host)}`;
  const source = await openFile(path);
  const machine = await loadState(source);
  await source.close();
  machine.usePaging(host);
  const writes = await change(machine);
  if (!score.check(`${what}: the guest's memory takes writes by virtual addresses`, writes > 0)) return;
  const saved = join(folder, 'saved.sav');
  await writeFileSink(saved, { force: true }, (sink) => saveState(machine, sink));
  const again = await openFile(saved);
  if (machine.rawMode)
    score.check(`${what}: the state has the mappings, where its version has any`, hasMappings(await walkState(again)));
  const truth = join(folder, 'truth.elf');
  await writeFileSink(truth, { force: true }, (sink) => extract(again, sink, { format: 'vbox-core' }));
  await again.close();
  const core = join(folder, 'virtualbox.elf');
  rmSync(core, { force: true });
  const { ok, output } = await virtualBox.run('load-state.sh', [saved, machineName, '--core', core]);
  if (!score.check(`${what}: VirtualBox loads it`, ok, output.split('\n')[0])) return;
  const compared = await virtualBox.run('corecmp.py', [truth, core, '--registers']);
  score.check(`${what}: VirtualBox has its memory and registers`, compared.ok, compared.output);
}

/** Changes the machine, all through the model. @returns pages that were written by their virtual addresses */
async function change(machine: Machine): Promise<number> {
  const { memory, mappings } = machine;
  const [cpu] = machine.cpus;
  const { registers } = cpu;
  if (!registers) return 0;
  // Copies the root, also legacy PAE's pointers, to another address; the tables below are the same.
  const root = new Uint8Array(PAGE_SIZE);
  memory.read(Number(registers.cr3 & 0xffff_f000n), root, 'device');
  memory.write(NEW_ROOT, root, 'device');
  const cr3 = BigInt(NEW_ROOT) | (registers.cr3 & 0xfffn);
  cpu.setRegisters({ cr3, cr0: registers.cr0 ^ CR0_WP, cr4: registers.cr4 ^ CR4_PGE });
  if (machine.rawMode) mappings.fix(FIXED.base, FIXED.size, true);
  const space = cpu.space();
  let written = 0;
  for (const { virtual, size, writable } of space ? (await mappingsOf(space, { maxRuns: 16 })).runs : []) {
    if (!writable || size < 2 * PAGE_SIZE) continue;
    const at = virtual + BigInt(size - PAGE_SIZE - 2);
    if (cpu.write(at, Uint8Array.of(0x5a, 0xa5, 0x5a, 0xa5)) === NO_FAULT) written++;
  }
  return written;
}

function hasMappings({ pgm }: SavedState): boolean {
  const { mappingsFixed, mappingFixed, mappingFixedSize, mappings = [] } = pgm?.basic ?? {};
  const isFixed = mappingsFixed && Number(mappingFixed) === FIXED.base && mappingFixedSize === FIXED.size;
  const hasList = PGM_VERSIONS.find(({ version }) => version === pgm?.version)?.mappings;
  return isFixed === true && (!hasList || (mappings.length === 1 && Number(mappings[0].address) === FIXED.base));
}
