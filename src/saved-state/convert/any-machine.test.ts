import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { PGM_VERSIONS } from '../../../formats/pgm/versions.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { anyCut, machineFor, passesFor } from '../../../formats/testing/pgm-arbitraries.ts';
import { buildLivePgm, buildPgm } from '../../../formats/testing/pgm-builder.ts';
import { FOUR_GIB, type Machine, PAGE } from '../../../formats/testing/pgm-machine.ts';
import { expectedMemory, type Memory } from '../../../formats/testing/pgm-memory.ts';
import { readPgm } from '../../../formats/testing/pgm-reading.ts';
import { liveUnits, stateV2 } from '../../../formats/testing/pgm-states.ts';
import { stateV1 } from '../../../formats/testing/pgm-states-v1.ts';
import type { MachineLayout } from '../layout/machine-layout.ts';
import { type ConvertRun, convert } from './convert.ts';

// States made by a naive builder, converted, and judged by what the machine was: no writer and no proof of ours has a
// say.

/** Version 10 stores no RAM size, and no unit mm tells it here: it is only written. */
const NEW = PGM_VERSIONS.filter(({ pages }) => pages === 'records').map(({ version }) => version);
const OLD = PGM_VERSIONS.filter(({ pages }) => pages !== 'records').map(({ version }) => version);

async function converted(bytes: Uint8Array, options: ConvertRun): Promise<Uint8Array> {
  const sink = new MemorySink();
  const { proof } = await convert(bufferSource(bytes), sink, options);
  expect(proof?.differences).toEqual([]);
  return sink.view();
}

/** The facts that a machine's configuration tells, and old states with it. Missing RAM pages are device registers. */
function layoutOf(machine: Machine): MachineLayout {
  const { roms, mmio2, mmio, ram, ramSize, ramHole } = machine;
  const registers = mmio.map(({ address, pages, description }) => ({ name: description, address, size: pages * PAGE }));
  const lowEnd = Math.min(ramSize, FOUR_GIB - ramHole);
  const isRom = (at: number) => roms.some(({ address, pages }) => at >= address && at < address + pages.length * PAGE);
  for (const [start, end] of [
    [0, lowEnd],
    [FOUR_GIB, FOUR_GIB + ramSize - lowEnd],
  ]) {
    for (let at = start; at < end; at += PAGE)
      if (!ram.has(at) && !isRom(at)) registers.push({ name: 'registers', address: at, size: PAGE });
  }
  return {
    roms: roms.map(({ description, address, pages }) => ({ name: description, address, size: pages.length * PAGE })),
    mmio2: mmio2.map(({ description, device, instance, region, address, pages }) => ({
      name: description,
      device,
      instance,
      region,
      address,
      size: pages.length * PAGE,
    })),
    mmio: registers,
  };
}

/** Entries in the order of their places, so that they can be compared. */
const sorted = (memory: Memory) => [...memory].sort(([a], [b]) => (a < b ? -1 : 1));

describe('any machine, converted among versions 10 to 14', () => {
  const pairs = NEW.flatMap((from) => NEW.map((to): [number, number] => [from, to])).filter(
    ([from, to]) => from !== to && from !== 10,
  );
  it.each(pairs)('from %i to %i, holds what it held', async (from, to) => {
    await fc.assert(
      fc.asyncProperty(machineFor(from), anyCut, fc.boolean(), async (machine, cut, recompress) => {
        const state = stateV2([{ version: from, payload: buildPgm(machine, from) }], { cut });
        const bytes = await converted(state, { pgm: to, recompress, allowLoss: true });
        const { memory } = await readPgm(bytes);
        expect(sorted(memory)).toEqual(sorted(expectedMemory(machine, Math.min(from, to))));
      }),
      { numRuns: 8 },
    );
  });
});

describe('any live save', () => {
  it.each(NEW.filter((version) => version > 10))(
    'of version %i, flattened or not, holds what its last records say',
    async (version) => {
      const saves = machineFor(version).chain((machine) =>
        fc.record({ machine: fc.constant(machine), passes: passesFor(machine) }),
      );
      await fc.assert(
        fc.asyncProperty(saves, anyCut, fc.boolean(), async ({ machine, passes }, cut, flatten) => {
          const state = stateV2(liveUnits(version, buildLivePgm(machine, version, passes)), { cut, live: true });
          const { memory } = await readPgm(
            await converted(state, { flatten, recompress: !flatten, compression: 'none' }),
          );
          expect(sorted(memory)).toEqual(sorted(expectedMemory(machine, version, passes.flat())));
        }),
        { numRuns: 25 },
      );
    },
  );
});

describe('any machine of versions 6 to 9', () => {
  it.each(OLD.flatMap((from) => [11, 14].map((to): [number, number] => [from, to])))(
    'from %i to %i and back holds what it held',
    async (from, to) => {
      await fc.assert(
        fc.asyncProperty(machineFor(from), async (machine) => {
          const options = { layout: layoutOf(machine), allowLoss: true };
          const old = stateV1('1.2', [{ version: from, payload: buildPgm(machine, from) }]);
          const modern = await converted(old, { ...options, pgm: to, container: '2.0' });
          const expected = expectedMemory(machine, from);
          const { memory } = await readPgm(modern);
          expect(sorted(memory)).toEqual(sorted(expectedMemory(machine, Math.max(10, from))));
          const back = await readPgm(await converted(modern, { ...options, pgm: from, container: '1.2' }));
          expect(sorted(back.memory)).toEqual(sorted(expected));
        }),
        { numRuns: from === 6 ? 6 : 15 },
      );
    },
  );
});

describe('any machine in another container', () => {
  it.each(['1.1', '1.2', '2.0'] as const)('V%s holds what it held', async (container) => {
    await fc.assert(
      fc.asyncProperty(machineFor(14), anyCut, async (machine, cut) => {
        const state = stateV2([{ version: 14, payload: buildPgm(machine, 14) }], { cut });
        const { memory } = await readPgm(await converted(state, { container, allowLoss: true }));
        expect(sorted(memory)).toEqual(sorted(expectedMemory(machine, 14)));
      }),
      { numRuns: 20 },
    );
  });
});
