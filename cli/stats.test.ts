import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runSavkit } from './testing/run-savkit.ts';

const state = join(STATES_FOLDER, 'own-pae.sav');
const schema = JSON.parse(readFileSync(new URL('./output.schema.json', import.meta.url), 'utf8')) as object;
const matchesSchema = new Ajv({ allErrors: true, strict: false }).compile(schema);

async function statistics(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await runSavkit(['stats', state, ...args, '--json']);
  const document = JSON.parse(stdout.toString());
  expect(matchesSchema(document), JSON.stringify(matchesSchema.errors)).toBe(true);
  const { statistics } = document.files[0].result as { statistics: { path: string; value: unknown }[] };
  return Object.fromEntries(statistics.map(({ path, value }) => [path, value]));
}

describe('savkit stats', () => {
  it('shows those that are not 0; with a pattern all that it fits', async () => {
    const shown = await statistics();
    expect(Object.values(shown)).not.toContain(0);
    expect(shown['/PGM/Page/cAllPages']).toBe(2018);
    expect(await statistics('/PGM/Page/c*LockedPages')).toEqual({ '/PGM/Page/cReadLockedPages': 0, '/PGM/Page/cWriteLockedPages': 0 });
    expect(await statistics('/PGM/R3/ResolveConflict')).toEqual({ '/PGM/R3/ResolveConflict': { periods: 0, ticks: 0, min: 0, max: 0 } });
  });

  it('says so when nothing has such a name', async () => {
    const { exitCode, stdout } = await runSavkit(['stats', state, '/none']);
    expect([exitCode, stdout.toString().trim()]).toEqual([0, 'No statistic has such a name']);
  });
});
