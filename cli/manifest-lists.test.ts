import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
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

describe('what is no list is not appended to', () => {
  const state = () => {
    const file = join(mkdtempSync(place('own-')), 'a.sav');
    copyFileSync(join(STATES_FOLDER, 'own-pae.sav'), file);
    return file;
  };

  it.each(['--sums', '--custody'])('the state itself: %s', async (option) => {
    const file = state();
    const before = sha256(readFileSync(file));
    const { exitCode, stderr } = await runHere('manifest', file, '-o', `${file}.manifest`, option, file);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringContaining(`Cannot append to ${file}: ${option} takes a file`),
    ]);
    expect(sha256(readFileSync(file))).toBe(before);
    expect(existsSync(`${file}.manifest`)).toBe(false);
  });

  it.each(['--sums', '--custody'])('the manifest: %s', async (option) => {
    const file = state();
    const { exitCode } = await runHere('manifest', file, '-o', `${file}.manifest`, option, `${file}.manifest`);
    expect([exitCode, existsSync(`${file}.manifest`)]).toEqual([2, false]);
  });

  it('one file for both lists', async () => {
    const file = state();
    const list = `${file}.list`;
    const { exitCode } = await runHere('manifest', file, '-o', `${file}.m`, '--sums', list, '--custody', list);
    expect([exitCode, existsSync(list)]).toEqual([2, false]);
  });

  it('another state, and the list of the other kind', async () => {
    const [file, other] = [state(), state()];
    const before = sha256(readFileSync(other));
    const { exitCode, stderr } = await runHere('manifest', file, '-o', `${file}.m`, '--sums', other);
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('no list of --sums')]);
    expect([sha256(readFileSync(other)), existsSync(`${file}.m`)]).toEqual([before, false]);
    expect((await runHere('manifest', file, '-o', `${file}.m`, '--sums', `${file}.sums`)).exitCode).toBe(0);
    const swapped = await runHere('manifest', file, '-o', `${file}.n`, '--custody', `${file}.sums`);
    expect([swapped.exitCode, swapped.stderr]).toEqual([4, expect.stringContaining('no list of --custody')]);
    expect((await runHere('manifest', file, '-o', `${file}.n`, '--sums', `${file}.sums`)).exitCode).toBe(0);
  });

  it.each(['--sums', '--custody'])(
    'nor is any manifest written for a list whose folder is missing: %s',
    async (option) => {
      const file = state();
      const list = join(`${file}.none`, 'list');
      const { exitCode, stderr } = await runHere('manifest', file, '-o', `${file}.m`, option, list);
      expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`Cannot write ${list}`)]);
      expect(existsSync(`${file}.m`)).toBe(false);
    },
  );
});
