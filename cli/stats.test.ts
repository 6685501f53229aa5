import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runSavkit } from './testing/run-savkit.ts';
import { savkitFile } from './testing/savkit-json.ts';

const state = join(STATES_FOLDER, 'own-pae.sav');

async function statistics(...args: string[]): Promise<Record<string, unknown>> {
  const { result } = await savkitFile<{ statistics: { path: string; value: unknown }[] }>('stats', state, ...args);
  return Object.fromEntries(result.statistics.map(({ path, value }) => [path, value]));
}

describe('savkit stats', () => {
  it('shows those that are not 0; with a pattern all that it fits', async () => {
    const shown = await statistics();
    expect(Object.values(shown)).not.toContain(0);
    expect(shown['/PGM/Page/cAllPages']).toBe(2018);
    expect(await statistics('/PGM/Page/c*LockedPages')).toEqual({
      '/PGM/Page/cReadLockedPages': 0,
      '/PGM/Page/cWriteLockedPages': 0,
    });
    expect(await statistics('/PGM/R3/ResolveConflict')).toEqual({
      '/PGM/R3/ResolveConflict': { periods: 0, ticks: 0, min: 0, max: 0 },
    });
  });

  it('says so when nothing has such a name', async () => {
    const { exitCode, stderr } = await runSavkit(['stats', state, '/none']);
    expect([exitCode, stderr]).toEqual([
      2,
      'Cannot show /none: no statistic has such a name; without a pattern those that are not 0 are shown\n',
    ]);
  });
});
