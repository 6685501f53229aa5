import { describe, expect, it } from 'vitest';
import { SavkitError } from '../../../formats/errors.ts';
import { bufferSource } from '../../../formats/files/source.ts';
import { PGM_VERSIONS } from '../../../formats/pgm/versions.ts';
import { buildPgm } from '../../../formats/testing/pgm-builder.ts';
import { fullExample } from '../../../formats/testing/pgm-examples.ts';
import { stateV2 } from '../../../formats/testing/pgm-states.ts';
import { stateV1 } from '../../../formats/testing/pgm-states-v1.ts';
import { diffStates } from './diff.ts';

/** Every byte of the heads is changed, and a sample of the bytes of pages after them. */
const HEAD = 250;
const STEP = 997;
/** Each layout of the heads once. */
const VERSIONS = PGM_VERSIONS.filter(({ version }) => [6, 7, 9, 10, 12, 14].includes(version));
/** Bytes of versions 6 to 9 before their pages: types of pages have values there that mean the same. */
const OLD_HEAD = 100;
/** Version 6 stores the A20 gate in four bytes: open unless all are 0. */
const SAME_GATE = [26, 27, 28];

function stateWith(version: number, payload: Uint8Array): Uint8Array {
  return version >= 10 ? stateV2([{ version, payload }]) : stateV1('1.2', [{ version, payload }]);
}

function placesIn(version: number, size: number): number[] {
  if (version < 10) return [...Array(OLD_HEAD).keys()].filter((i) => version > 6 || !SAME_GATE.includes(i));
  return [...Array(size).keys()].filter((i) => i < HEAD || i % STEP === 0);
}

describe('diffStates()', () => {
  for (const { version } of VERSIONS)
    it(`tells of any byte of guest memory's unit that has changed, version ${version}`, async () => {
      const payload = buildPgm(fullExample(version), version);
      const state = bufferSource(stateWith(version, payload));
      const silent: number[] = [];
      let told = 0;
      for (const i of placesIn(version, payload.length)) {
        const other = Uint8Array.from(payload);
        other[i] ^= 1;
        try {
          const { equal } = await diffStates(state, bufferSource(stateWith(version, other)));
          if (equal) silent.push(i);
          else told++;
        } catch (error) {
          if (!(error instanceof SavkitError)) throw error;
        }
      }
      expect(silent).toEqual([]);
      expect(told).toBeGreaterThan(30);
    });
});
