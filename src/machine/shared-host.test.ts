import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFile } from '../../formats/files/source.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { HostMemory, type HostMemoryOptions } from '../gmm/host-memory.ts';
import { HostBacking } from '../pgm/pages/host-backing.ts';
import { PageState } from '../pgm/pages/page-states.ts';
import { PageSharing } from '../pgm/sharing/page-sharing.ts';
import { STATES_FOLDER } from '../testing/states.ts';
import { loadState } from './load.ts';
import type { Machine } from './machine.ts';
import { saveState } from './save.ts';

async function loadOn(host: HostMemory, name: string): Promise<Machine> {
  const source = await openFile(join(STATES_FOLDER, name));
  try {
    return await loadState(source, { backing: new HostBacking(host) });
  } finally {
    await source.close();
  }
}

async function save(machine: Machine): Promise<Uint8Array> {
  const sink = new MemorySink();
  await saveState(machine, sink);
  return sink.view();
}

/** Writes to memory here and there, as a guest would. @returns the saved state of the machine */
async function savedAfterWrites(machine: Machine): Promise<Uint8Array> {
  for (let at = 0x1000; at < 0x400000; at += 0x1ff31) machine.memory.write(at, Uint8Array.of(at, at >> 8, at >> 16));
  return save(machine);
}

function sharingOf(host: HostMemory, ...machines: Machine[]): PageSharing {
  const sharing = new PageSharing(host);
  for (const { memory } of machines) sharing.add(memory);
  sharing.scanAll();
  sharing.scanAll();
  return sharing;
}

/**
 * From `VBoxManage debugvm VM statistics` of a VirtualBox 7.2.22 that had loaded the state. It backs all pages that are
 * not MMIO.
 */
const VIRTUALBOX_COUNTS = { cAllPages: 2018, cPureMmioPages: 1, cPrivatePages: 2017 };

it.each(['own-pae.sav', 'own-prot32.sav', 'own-long.sav'])("counts of %s are VirtualBox's", async (name) => {
  const { statistics } = await loadOn(new HostMemory(), name);
  const value = (count: string) => statistics.valueOf(`/PGM/Page/${count}`) as number;
  expect(value('cAllPages')).toBe(VIRTUALBOX_COUNTS.cAllPages);
  expect(value('cPureMmioPages')).toBe(VIRTUALBOX_COUNTS.cPureMmioPages);
  expect(value('cPrivatePages') + value('cZeroPages')).toBe(VIRTUALBOX_COUNTS.cPrivatePages);
});

describe('machines on a shared host', () => {
  it.each([
    ['as one of a host of its own', {}],
    ['with most of its memory in a file', { maxMappedChunks: 2 }],
  ] as [string, HostMemoryOptions][])('a state is loaded, written to and saved, %s', async (_how, options) => {
    const host = new HostMemory(options);
    const expected = await savedAfterWrites(await loadOn(new HostMemory(), 'own-long.sav'));
    const machine = await loadOn(host, 'own-long.sav');
    expect(Buffer.compare(await savedAfterWrites(machine), expected)).toBe(0);
    if (options.maxMappedChunks) expect(host.figures).toMatchObject({ mappedChunks: 2 });
    host.close();
  });

  it('two machines of one state share what they have in RAM, and each is saved as if it were alone', async () => {
    const host = new HostMemory();
    const alone = await save(await loadOn(new HostMemory(), 'own-pae.sav'));
    const changed = await savedAfterWrites(await loadOn(new HostMemory(), 'own-pae.sav'));
    const [a, b] = [await loadOn(host, 'own-pae.sav'), await loadOn(host, 'own-pae.sav')];
    const { counts } = sharingOf(host, a, b);
    const ramPages = a.memory.ranges.all
      .filter(({ kind }) => kind === 'ram')
      .reduce((sum, { state }) => sum + state.filter((each) => each === PageState.SHARED).length, 0);
    expect(ramPages).toBeGreaterThan(100);
    expect(host.figures.duplicatePages).toBe(counts.exchangedPages);
    expect(host.figures.duplicatePages).toBeGreaterThanOrEqual(ramPages);
    expect(Buffer.compare(await savedAfterWrites(b), changed)).toBe(0);
    expect(Buffer.compare(await save(a), alone)).toBe(0);
    b.memory.close();
    expect(Buffer.compare(await save(a), alone)).toBe(0);
    a.memory.close();
    expect(host.figures).toMatchObject({ allocatedPages: 0, reservedPages: 0, leftBehindSharedPages: 0 });
  });
});
