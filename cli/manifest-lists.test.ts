import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { STATES_FOLDER, sha256 } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-lists-'));
const place = (...names: string[]) => join(folder, ...names);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('manifests of many leave a list of sums and a chain of custody', async () => {
  mkdirSync(place('states'));
  for (const name of ['a.sav', 'b\\c.sav']) copyFileSync(join(STATES_FOLDER, 'own-pae.sav'), place('states', name));
  const lists = ['--sums', place('SHA256SUMS'), '--custody', place('custody.ndjson')];
  const { exitCode } = await runHere('manifest', '-r', place('states'), '--into', place('manifests'), ...lists);
  expect(exitCode).toBe(0);
  const links = readFileSync(place('custody.ndjson'), 'utf8').trimEnd().split('\n');
  expect(links).toHaveLength(2);
  for (const text of links) {
    const { user, host, tool, command, time, input, output } = JSON.parse(text);
    expect([user, host, command]).toEqual([userInfo().username, hostname(), 'manifest']);
    expect(tool).toMatch(/^savkit \d/);
    expect(Date.parse(time)).toBeGreaterThan(0);
    for (const each of [input, output]) expect(each.sha256).toBe(sha256(readFileSync(each.path)));
  }
  if (process.platform === 'linux') execFileSync('sha256sum', ['--check', '--quiet', place('SHA256SUMS')]);
  writeFileSync(place('states', 'a.sav'), 'other');
  if (process.platform === 'linux')
    expect(() => execFileSync('sha256sum', ['--check', '--status', place('SHA256SUMS')])).toThrow();
});
