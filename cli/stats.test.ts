import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { MIB } from '../formats/sizes.ts';
import { emptyMachine } from '../src/running/empty-machine.ts';
import { RunningMachine } from '../src/running/running-machine.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runningStatistics } from './control/running-statistics.ts';
import { NO_TEXT } from './terminal/terminal-text.ts';
import { runHere } from './testing/run-here.ts';
import { savkitFile } from './testing/savkit-json.ts';
import { testGround } from './testing/test-ground.ts';

const { path, keep } = testGround('stats');
const state = join(STATES_FOLDER, 'own-pae.sav');

async function statistics(...args: string[]): Promise<Record<string, unknown>> {
  const { result } = await savkitFile<{ statistics: { path: string; value: unknown }[] }>('stats', state, ...args);
  return Object.fromEntries(result.statistics.map(({ path, value }) => [path, value]));
}

describe('savkit stats', () => {
  it('shows statistics that are not 0; with a pattern, all that match', async () => {
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

  it('shows those of a running machine, and what changes there', async () => {
    const socket = path('vm.sock');
    const machine = await emptyMachine(4 * MIB);
    machine.usePaging();
    const running = RunningMachine.of(machine, { kind: 'paging', rate: 500, pages: 20 });
    await keep({ name: 'vm', running }, socket);
    running.runSteps(300);
    const { result } = await savkitFile<{ statistics: { path: string; value: { periods: number } }[] }>(
      'stats',
      socket,
      '/PGM/CPU0/RZ/Trap0e',
    );
    expect(result.statistics).toMatchObject([{ path: '/PGM/CPU0/RZ/Trap0e', kind: 'profile' }]);
    expect(result.statistics[0].value.periods).toBeGreaterThan(0);
    expect((await runHere('stats', state, '--watch', '1')).exitCode).toBe(2);
    expect((await runHere('stats', socket, '--watch', '0')).exitCode).toBe(2);
    const watcher = new AbortController();
    const shown = vi.spyOn(process.stdout, 'write').mockImplementation(((_: unknown, done?: () => void) => {
      watcher.abort();
      done?.();
      return true;
    }) as never);
    const watched = runningStatistics(watcher, socket, { watch: 60, json: false });
    expect(await watched.finally(() => shown.mockRestore())).toMatchObject({ exitCode: 0, text: NO_TEXT });
  });

  it('says why a statistic stays 0, where nothing can move it', async () => {
    const { stdout } = await runHere('stats', state, '/PGM/LargePage/Prof/*');
    const lines = stdout.split('\n');
    expect(lines.find((line) => line.includes('Prof/Clear'))).toContain(
      'time zeroing (always 0: the system gives pages',
    );
    expect(lines.find((line) => line.includes('Prof/Alloc'))).not.toContain('always 0');
  });

  it('says so when nothing has such a name', async () => {
    const { exitCode, stderr } = await runHere('stats', state, '/none');
    expect([exitCode, stderr]).toEqual([
      2,
      'Cannot show /none: no statistic has such a name; without a pattern, statistics that are not 0 are shown\n',
    ]);
  });
});
