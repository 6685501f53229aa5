import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ByteSource, openFile } from '../../formats/files/source.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { memoryMap } from '../saved-state/layout/memory-map.ts';
import { oldState } from '../testing/old-states.ts';
import { STATES_FOLDER, samplesIn } from '../testing/states.ts';
import { type Peeked, peek } from './edit.ts';
import { loadState } from './load.ts';
import { addressSpaceOf } from './machine-space.ts';
import { openMachine } from './opened-machine.ts';

// A state that is looked at in its file is compared with the same state loaded as a machine.

const folder = mkdtempSync(join(tmpdir(), 'savkit-opened-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The result of a call, or the code of its error. */
function outcome<T>(call: () => T): T | string {
  try {
    return call();
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as { vboxCode?: string }).vboxCode}`;
  }
}

function shown(call: () => Peeked): unknown {
  return outcome(() => {
    const { bytes, unassigned } = call();
    return { bytes: Buffer.from(bytes).toString('latin1'), unassigned };
  });
}

/** Compares all memory, what lies around it, and where virtual addresses lead. */
async function compare(source: ByteSource): Promise<void> {
  const machine = await loadState(source);
  const opened = await openMachine(source);
  const regions = memoryMap(machine.state);
  const places = regions.flatMap(({ start, end }) => [start, Math.max(0, start - 2 * PAGE_SIZE), end - PAGE_SIZE - 5]);
  for (const at of [...places, 2 ** 40])
    for (const length of [1, 4 * PAGE_SIZE + 7])
      expect(
        shown(() => opened.peek(at, length)),
        `${at}`,
      ).toEqual(shown(() => peek(machine.memory, at, length)));
  for (const { start, end } of regions.filter(({ kind }) => kind !== 'mmio')) {
    const length = Math.min(end - start, 8 * 1024 * PAGE_SIZE);
    const [seen, loaded] = [opened.peek(start, length), peek(machine.memory, start, length)];
    expect(Buffer.compare(seen.bytes, loaded.bytes), `${start}`).toBe(0);
    expect(seen.unassigned).toEqual(loaded.unassigned);
  }
  const addresses = [
    0n,
    0x7c00n,
    0x10_0000n,
    0x40_0000n,
    0x8000_0000n,
    0xc000_1234n,
    0xffff_ffff_8000_1234n,
    1n << 47n,
  ];
  for (const cr3 of [undefined, 0x14000n])
    for (let cpu = 0; cpu <= machine.cpus.length; cpu++)
      for (const address of addresses)
        expect(outcome(() => opened.space(cpu, cr3).translate(address))).toEqual(
          outcome(() => addressSpaceOf(machine, cpu, cr3).translate(address)),
        );
  opened.close();
}

describe('openMachine()', () => {
  it.each(samplesIn(STATES_FOLDER).map(({ name, path }) => [name, path]))(
    'shows of %s the same as a machine that was loaded from it',
    async (_, path) => {
      const source = await openFile(path);
      await compare(source);
      await source.close();
    },
  );

  it('shows the same of states of older versions, whose pages do not stand in the file one by one', async () => {
    const bytes = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
    for (const [container, pgm] of [
      ['1.1', 6],
      ['1.2', 9],
    ] as const) {
      const { original } = await oldState(bytes, container, pgm);
      const path = join(folder, `${pgm}.sav`);
      writeFileSync(path, original.bytes);
      const source = await openFile(path);
      await compare(source);
      await source.close();
    }
  });
});
