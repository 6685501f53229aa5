import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { buildPgm } from '../../../formats/testing/pgm-builder.ts';
import { fullExample } from '../../../formats/testing/pgm-examples.ts';
import type { Machine } from '../../../formats/testing/pgm-machine.ts';
import { stateV2 } from '../../../formats/testing/pgm-states.ts';
import { fingerprint, sameIds } from '../hashing/fingerprint.ts';
import { walkState } from '../reading/walk.ts';
import { compareStates } from './proof.ts';

const VERSION = 13;

function printOf(machine: Machine) {
  const state = stateV2([{ version: VERSION, payload: buildPgm(machine, VERSION) }]);
  return fingerprint(walkState, bufferSource(state), { naming: sameIds, of: 'content' });
}

describe('compareStates()', () => {
  const cpu = { a20: true, mode: 1 };
  const mapping = { description: 'VMM', address: 0xa0000000n, pageTables: 1n };
  const machine: Machine = { ...fullExample(VERSION), cpus: [cpu, cpu], mappings: [mapping] };
  const fewer: [string, Machine][] = [
    ['mapping', { ...machine, mappings: machine.mappings.slice(1) }],
    ['ROM', { ...machine, roms: machine.roms.slice(0, -1) }],
    ['range of device memory', { ...machine, mmio2: machine.mmio2.slice(0, -1) }],
    ['CPU', { ...machine, cpus: machine.cpus.slice(0, 1) }],
  ];

  for (const [part, less] of fewer)
    it(`tells of a ${part} that only one of the states has, whichever`, async () => {
      const [all, some] = [await printOf(machine), await printOf(less)];
      expect(compareStates(all, all, false).differences).toEqual([]);
      expect(compareStates(all, some, false).differences).not.toEqual([]);
      expect(compareStates(some, all, false).differences.map(({ what }) => what)).toContainEqual(
        expect.stringMatching(/^(memory|cpus)/),
      );
    });
});
