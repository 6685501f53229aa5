import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import type { Disk } from '../formats/world/disk.ts';
import { enterWorld, REAL_WORLD } from '../formats/world/world.ts';
import { qemuSample } from '../src/testing/qemu-samples.ts';
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

it('a list that ends in half a line, as a full disk leaves it, gets whole ones', async () => {
  const own = mkdtempSync(place('half-'));
  copyFileSync(join(STATES_FOLDER, 'own-pae.sav'), join(own, 'a.sav'));
  const [sums, custody] = [join(own, 'sums'), join(own, 'custody')];
  writeFileSync(sums, `${'0'.repeat(64)}  o`);
  writeFileSync(custody, '{"time":"2026');
  const lists = ['--sums', sums, '--custody', custody];
  expect((await runHere('manifest', join(own, 'a.sav'), '-o', join(own, 'm'), ...lists)).exitCode).toBe(0);
  expect(readFileSync(sums, 'utf8').split('\n')).toHaveLength(4);
  expect(JSON.parse(readFileSync(custody, 'utf8').split('\n')[1])).toMatchObject({ command: 'manifest' });
});

const states = (name: string) => join(STATES_FOLDER, name);

describe('other commands that make one file from another note both', () => {
  const cut = () => {
    writeFileSync(place('cut.sav'), readFileSync(states('own-pae.sav')).subarray(0, 200_000));
    return place('cut.sav');
  };

  it.each([
    ['extract', () => [states('own-pae.sav'), '-o'], 0],
    ['convert', () => [states('own-pae.sav')], 0],
    ['salvage', () => [cut()], 3],
    ['adapt', () => [states('own-pae.sav'), '--donor', states('own-pae.sav'), '-o'], 0],
  ] as const)('%s', async (command, words, code) => {
    const [output, sums, chain] = ['out', 'sums', 'chain'].map((name) => place(`${command}.${name}`));
    const lists = ['--sums', sums, '--custody', chain];
    expect(await runHere(command, ...words(), output, ...lists)).toMatchObject({ exitCode: code });
    const link = JSON.parse(readFileSync(chain, 'utf8'));
    expect(link).toMatchObject({ command, output: { path: output, sha256: sha256(readFileSync(output)) } });
    expect(link.input).toEqual({ path: words()[0], sha256: sha256(readFileSync(words()[0])) });
    if (process.platform === 'linux') execFileSync('sha256sum', ['--check', '--quiet', sums]);
  });

  it('a packed one by its bytes on the disk', async () => {
    const packed = place('packed.sav.gz');
    writeFileSync(packed, gzipSync(readFileSync(states('own-pae.sav'))));
    const chain = place('packed.chain');
    expect((await runHere('manifest', packed, '-o', place('packed.m'), '--custody', chain)).exitCode).toBe(0);
    expect(JSON.parse(readFileSync(chain, 'utf8')).input).toEqual({
      path: packed,
      sha256: sha256(readFileSync(packed)),
    });
  });

  it('a state that is converted in place by its bytes before', async () => {
    const [file, chain] = [place('in-place.sav'), place('in-place.chain')];
    copyFileSync(states('own-pae.sav'), file);
    const { exitCode } = await runHere(
      'convert',
      file,
      file,
      '--compression',
      'none',
      '--recompress',
      '-f',
      '--custody',
      chain,
    );
    expect(exitCode).toBe(0);
    const { input, output } = JSON.parse(readFileSync(chain, 'utf8'));
    expect(input.sha256).toBe(sha256(readFileSync(states('own-pae.sav'))));
    expect(output.sha256).toBe(sha256(readFileSync(file)));
  });

  it.each([
    ['convert', [states('own-pae.sav'), place('dry.sav'), '--dry-run'], 2],
    ['extract', [states('own-pae.sav'), '-o', '-'], 2],
    ['convert', [states('own-pae.sav'), states('own-pae.sav')], 4],
    ['extract', [place('none.sav'), '-o', place('none.raw')], 4],
  ] as const)('nothing is noted where nothing is made: %s %j', async (command, words, code) => {
    const chain = place('none.chain');
    expect((await runHere(command, ...words, '--custody', chain)).exitCode).toBe(code);
    expect(existsSync(chain)).toBe(false);
  });

  it('a list that has a sum of the output already keeps from making it again', async () => {
    const [output, sums] = [place('again.raw'), place('again.sums')];
    const words = ['extract', states('own-pae.sav'), '-o', output, '--sums', sums, '-f'];
    expect((await runHere(...words)).exitCode).toBe(0);
    const before = readFileSync(sums, 'utf8');
    expect(await runHere(...words)).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('a sum of an older'),
    });
    expect(readFileSync(sums, 'utf8')).toBe(before);
    rmSync(output);
    expect((await runHere(...words)).stderr).toContain('a sum of an older');
    expect(existsSync(output)).toBe(false);
  });

  it('names in a list are taken as a whole, with what is escaped in them', async () => {
    const own = mkdtempSync(place('names-'));
    const [sums, output] = [join(own, 'sums'), join(own, 'a\\b')];
    const words = (to: string) => ['extract', states('own-pae.sav'), '-o', to, '--sums', sums];
    writeFileSync(sums, `${'0'.repeat(64)}  other  ${output}\n`);
    expect((await runHere(...words(output))).exitCode).toBe(0);
    rmSync(output);
    expect((await runHere(...words(output))).stderr).toContain('a sum of an older');
  });

  it('a snapshot by its image, and its name in the chain', async () => {
    const [image, chain] = [place('snap.qcow2'), place('snap.chain')];
    writeFileSync(image, qemuSample('snap-10.qcow2'));
    const words = ['extract', `${image}:snap2`, '-o', place('snap.raw'), '--custody', chain];
    expect((await runHere(...words)).exitCode).toBe(0);
    expect(JSON.parse(readFileSync(chain, 'utf8')).input).toEqual({
      path: image,
      part: 'snap2',
      sha256: sha256(readFileSync(image)),
    });
  });

  it('a snapshot whose image changes after it was hashed is not noted', async () => {
    const [image, chain] = [place('other.qcow2'), place('other.chain')];
    writeFileSync(image, qemuSample('snap-10.qcow2'));
    let opened = 0;
    const open: Disk['open'] = (path, ...flags) => {
      // After it was hashed, before it is read.
      if (path === image && ++opened === 2) utimesSync(image, 1, 1);
      return REAL_WORLD.disk.open(path, ...flags);
    };
    enterWorld({ ...REAL_WORLD, disk: { ...REAL_WORLD.disk, open } });
    const words = ['extract', `${image}:snap2`, '-o', place('other.raw'), '--custody', chain];
    const { exitCode, stderr } = await runHere(...words).finally(() => enterWorld(REAL_WORLD));
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining('other.qcow2 has changed: it was written to')]);
    expect(existsSync(chain)).toBe(false);
  });
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
