import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { savkitJson } from './testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-machine-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('savkit check --machine FOLDER and savkit inspect tell of the states of all snapshots', async () => {
  const text = readFileSync(join(STATES_FOLDER, '../machines/snapshots.vbox'), 'utf8');
  mkdirSync(join(folder, 'Snapshots'));
  writeFileSync(join(folder, 'box.vbox'), text);
  cpSync(join(STATES_FOLDER, 'own-long.sav'), join(folder, 'Snapshots', 'stranger.sav'));
  const { exitCode, files } = await savkitJson<{ moments: { fate: string }[] }>('check', '--machine', folder);
  expect(files[0].result.moments.map(({ fate }) => fate)).toEqual(['missing', 'none', 'none', 'none', 'orphaned']);
  expect(exitCode).toBe(4);
  const told = (await runHere('check', '--machine', folder)).stdout;
  expect(told).toContain('snapshot "first one": state is missing');
  for (const path of [folder, join(folder, 'box.vbox')]) {
    expect(await runHere('inspect', path)).toMatchObject({ exitCode: 4, stdout: told });
    expect((await savkitJson('inspect', path)).files[0].result).toEqual(files[0].result);
    expect((await runHere('inspect', '--ndjson', path)).stdout).toContain('"fate":"orphaned"');
  }
  const files2 = await savkitJson<{ container: object }>('inspect', '-r', folder);
  expect(files2.files.filter(({ result }) => result?.container).length).toBe(1);
  expect((await runHere('check')).exitCode).toBe(2);
});
