import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { realState } from '../src/saved-state/check/testing/real-machines.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { savkitFile } from './testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-adapt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const place = (name: string, content: Buffer | string) => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const vectors = JSON.parse(readFileSync(join(STATES_FOLDER, '../machines/machines.json'), 'utf8'));
const withPort = place('uart1.sav', realState('uart1'));
const base = place('base.vbox', vectors.machines.base.settings);
const odd = place(
  'odd.vbox',
  vectors.machines.base.settings.replace(
    /<Machine [^>]*>/,
    '$&<ExtraData><ExtraDataItem name="VBoxInternal/CPUM/IsaExts/SSE4.1" value="0"/></ExtraData>',
  ),
);
const withCard = place('e1000.vbox', vectors.machines.e1000.settings);

interface Open {
  refusal?: string;
  notJudged: string[];
  assumed: string[];
}
interface Adapted {
  changes: { class: string; unit?: string; message: string }[];
  experimental?: string;
  proof?: { holds: boolean } & Open;
  foretold?: Open;
}

describe('savkit adapt --machine', () => {
  it('writes what the settings tell, and says what is left to the host', async () => {
    const output = join(folder, 'out.sav');
    const { exitCode, result } = await savkitFile<Adapted>('adapt', withPort, '--machine', base, '-o', output);
    expect(exitCode).toBe(0);
    expect(result.changes).toMatchObject([{ class: 'seen', unit: 'serial/0' }]);
    expect(result.proof?.assumed).toHaveLength(1);
    expect((await savkitFile('check', output, '--machine', base)).exitCode).toBe(0);
  });

  it('judges the CPU with --host-cpuid', async () => {
    const args = ['--machine', base, '--host-cpuid', withPort, '-o', join(folder, 'host.sav')];
    const { result } = await savkitFile<Adapted>('adapt', withPort, ...args);
    expect(result.proof).toMatchObject({ holds: true, assumed: [] });
  });

  it('says that a device on the bus takes a donor, and writes nothing', async () => {
    const output = join(folder, 'none.sav');
    const { stderr, exitCode } = await runHere('adapt', withPort, '--machine', withCard, '-o', output);
    expect([exitCode, existsSync(output)]).toEqual([5, false]);
    expect(stderr).toContain('--donor');
  });

  it.each([
    ['other settings', [withPort, '--machine', base], 0],
    ['an older release', [withPort, '--machine', base, '--to', '7.1'], 3],
    ['settings that change VirtualBox inside', [withPort, '--machine', odd], 3],
  ])('a dry run for %s foretells what the real one says, and ends as that does', async (_what, args, exitCode) => {
    const dry = await savkitFile<Adapted>('adapt', ...args, '--dry-run');
    const real = await savkitFile<Adapted>('adapt', ...args, '--force', '-o', join(folder, 'real.sav'));
    expect([dry.exitCode, real.exitCode]).toEqual([exitCode, exitCode]);
    const { notJudged, assumed } = real.result.proof as Open;
    expect(dry.result).toEqual({ ...real.result, proof: undefined, foretold: { notJudged, assumed } });
    expect(notJudged.length > 0).toBe(exitCode === 3);
    expect('experimental' in real.result).toBe(args.includes('--to'));
  });

  it('tells every change in whole sentences', async () => {
    const { stdout } = await runHere('adapt', withPort, '--machine', base, '--dry-run');
    expect(stdout).toContain('device serial/0 is not in the machine: the guest sees it pulled out');
  });

  it.each([
    [['--dry-run']],
    [['--machine', base, '--donor', withPort, '--dry-run']],
    [['--donor', withPort, '--host-cpuid', withPort, '--dry-run']],
  ])('refuses %j', async (options) => {
    expect((await runHere('adapt', withPort, ...options)).exitCode).toBe(2);
  });
});
