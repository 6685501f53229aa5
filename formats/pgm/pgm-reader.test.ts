import { describe, expect, it } from 'vitest';
import { buildLivePgm, buildPgm } from '../testing/pgm-builder.ts';
import { fullExample, LIVE_EXAMPLE, LIVE_PASSES, SMALLEST } from '../testing/pgm-examples.ts';
import { expectedMemory } from '../testing/pgm-memory.ts';
import { readPgm } from '../testing/pgm-reading.ts';
import { stateV2 } from '../testing/pgm-states.ts';
import { PGM_VERSIONS } from './versions.ts';

const versions = PGM_VERSIONS.map((row) => row.version);
describe('PgmReader', () => {
  it.each(versions)('reads smallest %i', async (version) => {
    const { memory, reader } = await readPgm(stateV2([{ version, payload: buildPgm(SMALLEST, version) }]));
    expect(memory.size).toBe(0);
    expect(reader.basic?.cpus.length).toBe(1);
  });
  it.each(versions)('reads full %i', async (version) => {
    const { memory } = await readPgm(stateV2([{ version, payload: buildPgm(fullExample(version), version) }]));
    expect(memory).toEqual(expectedMemory(fullExample(version), version));
  });
  it('live', async () => {
    const units = buildLivePgm(LIVE_EXAMPLE, 14, LIVE_PASSES).map((payload, i, all) => ({
      version: 14,
      payload,
      pass: i === all.length - 1 ? ('final' as const) : i,
    }));
    const { memory } = await readPgm(stateV2(units, { live: true }));
    expect(memory).toEqual(expectedMemory(LIVE_EXAMPLE, 14, LIVE_PASSES.flat()));
  });
});
