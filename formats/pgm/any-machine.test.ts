import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyCut, machineFor, passesFor } from '../testing/pgm-arbitraries.ts';
import { buildLivePgm, buildPgm } from '../testing/pgm-builder.ts';
import type { Machine } from '../testing/pgm-machine.ts';
import { expectedMemory } from '../testing/pgm-memory.ts';
import { type PgmReading, readPgm } from '../testing/pgm-reading.ts';
import { liveUnits, stateV2 } from '../testing/pgm-states.ts';
import { PGM_VERSIONS } from './versions.ts';

const versions = PGM_VERSIONS.map(({ version }) => version);
/** Payloads of version 6 have a MiB and more. */
const runsFor = (version: number) => (version === 6 ? 15 : 40);

function expectHead({ reader }: PgmReading, machine: Machine, version: number): void {
  const none = new Array<bigint>(4).fill(0xffff_ffff_ffff_ffffn);
  expect(reader.basic?.cpus).toEqual(
    machine.cpus.map(({ a20, mode, paePds }) => ({
      a20Enabled: a20,
      a20Mask: a20 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffff_ffef_ffffn,
      guestMode: mode,
      paePds: version >= 14 ? (paePds ?? none) : none,
    })),
  );
  expect(reader.basic?.mappings).toEqual(version <= 13 ? machine.mappings : []);
  if (version < 10) return;
  expect(reader.config?.ramSize).toBe(version >= 11 ? machine.ramSize : undefined);
  expect(reader.config?.ramHole).toBe(version >= 11 ? machine.ramHole : undefined);
  expect(reader.config?.roms.map(({ id, address }) => [id, address])).toEqual(
    machine.roms.map(({ id, address }) => [id, address]),
  );
  expect(reader.config?.mmio2.map(({ id, device }) => [id, device])).toEqual(
    machine.mmio2.map(({ id, device }) => [id, device]),
  );
}

describe('any machine reads as it was, however its payload is cut', () => {
  it.each(versions)('in version %i', async (version) => {
    await fc.assert(
      fc.asyncProperty(machineFor(version), anyCut, async (machine, cut) => {
        const reading = await readPgm(stateV2([{ version, payload: buildPgm(machine, version) }], { cut }));
        expectHead(reading, machine, version);
        expect(reading.memory).toEqual(expectedMemory(machine, version));
      }),
      { numRuns: runsFor(version) },
    );
  });
});

describe('any live save reads as the last record of each page says', () => {
  it.each(versions.filter((version) => version >= 10))('in version %i', async (version) => {
    const saves = machineFor(version).chain((machine) =>
      fc.record({ machine: fc.constant(machine), passes: passesFor(machine) }),
    );
    await fc.assert(
      fc.asyncProperty(saves, anyCut, async ({ machine, passes }, cut) => {
        const units = liveUnits(version, buildLivePgm(machine, version, passes));
        const reading = await readPgm(stateV2(units, { cut, live: true }));
        expectHead(reading, machine, version);
        expect(reading.memory).toEqual(expectedMemory(machine, version, passes.flat()));
      }),
      { numRuns: 30 },
    );
  });
});
