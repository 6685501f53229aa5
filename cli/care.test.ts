import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenStates, buildBroken } from '../src/testing/broken-states.ts';
import { joinUnits, splitUnits } from '../src/testing/state-surgery.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { runHere } from './testing/run-here.ts';
import { runSavkit } from './testing/run-savkit.ts';
import { savkitFile } from './testing/savkit-json.ts';

const live = join(STATES_FOLDER, 'own-long-live.sav');
const plain = join(STATES_FOLDER, 'own-long.sav');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-care-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function broken(name: string): string {
  const state = brokenStates().find((own) => own.name === name);
  const path = join(folder, `${name}.sav`);
  writeFileSync(path, state ? buildBroken(state) : '');
  return path;
}

describe('savkit salvage', () => {
  it('ends with 0 where nothing is missing, 3 where something is, 1 where nothing is left', async () => {
    const output = join(folder, 'out.sav');
    const repaired = await savkitFile('salvage', broken('bit-in-page'), output);
    expect(repaired).toMatchObject({ exitCode: 0, result: { complete: true, repaired: [{ offset: 100000, bit: 2 }] } });
    expect((await runHere('verify', output)).exitCode).toBe(0);
    expect(statSync(output).mode & 0o777).toBe(0o600);
    const partly = await savkitFile('salvage', broken('block-in-ram'), output, '--force');
    expect(partly).toMatchObject({ exitCode: 3, result: { lostPages: 119, loadable: false } });
    expect(await savkitFile('salvage', broken('block-in-ram'), output, '--force', '--fill', 'zero')).toMatchObject({
      exitCode: 3,
      result: { loadable: true },
    });
    expect((await runHere('salvage', broken('start-zeroed'), join(folder, 'none.sav'))).exitCode).toBe(1);
    expect(() => statSync(join(folder, 'none.sav'))).toThrow();
  });

  it('never writes over a file without --force', async () => {
    const output = join(folder, 'precious.sav');
    writeFileSync(output, 'precious');
    expect((await runHere('salvage', broken('bit-in-page'), output)).exitCode).toBe(4);
    expect(readFileSync(output, 'utf8')).toBe('precious');
  });

  it('tells people what is missing', async () => {
    const { stdout } = await runHere('salvage', broken('block-in-ram'), join(folder, 'told.sav'));
    expect(stdout).toContain('Pages missing: 119');
    expect(stdout).toMatch(/RAM +0x20a000 +0x281000 +119 +lost/);
  });
});

describe('savkit manifest and verify --manifest', () => {
  it('name what has changed since', async () => {
    for (const name of ['good.json', 'good.msgpack']) {
      const manifest = join(folder, name);
      expect(await savkitFile('manifest', plain, '-o', manifest)).toMatchObject({ exitCode: 0, result: { units: 26 } });
      expect((await runHere('verify', '--manifest', manifest, plain)).exitCode).toBe(0);
      const { exitCode, findings } = await savkitFile('verify', '--manifest', manifest, broken('bit-in-page'));
      expect(exitCode).toBe(1);
      expect(findings).toContainEqual(
        expect.objectContaining({ code: 'manifest-page', place: expect.objectContaining({ gcPhys: 0x114000 }) }),
      );
    }
  });

  it('are not made of a damaged state', async () => {
    expect((await runHere('manifest', broken('bit-in-page'), '-o', join(folder, 'bad.json'))).exitCode).toBe(1);
  });
});

describe('savkit diff', () => {
  it('ends with 0 for equal states, 1 for different ones', async () => {
    expect(await savkitFile('diff', plain, plain)).toMatchObject({ exitCode: 0, result: { equal: true } });
    expect(await savkitFile('diff', plain, live)).toMatchObject({ exitCode: 1, result: { equal: false } });
    expect((await runHere('diff', plain, join(folder, 'missing.sav'))).exitCode).toBe(4);
  });
});

describe('savkit check', () => {
  it('reads settings that an editor has saved as UTF-16, or with a byte order mark', async () => {
    const settings =
      '\ufeff<VirtualBox><Machine name="a"><Hardware><Memory RAMSize="3"/></Hardware></Machine></VirtualBox>';
    const path = join(folder, 'utf.vbox');
    for (const bytes of [
      Buffer.from(settings),
      Buffer.from(settings, 'utf16le'),
      Buffer.from(settings, 'utf16le').swap16(),
    ]) {
      writeFileSync(path, bytes);
      expect((await runHere('check', plain, '--machine', path)).stdout).toContain('3 MiB');
    }
  });

  it('ends with 0 where a state fits, 5 where not, 1 for damaged ones, 2 without a target', async () => {
    expect(await savkitFile('check', plain, '--against', live)).toMatchObject({ exitCode: 0, result: { loads: true } });
    expect(await savkitFile('check', plain, '--virtualbox', '3.0')).toMatchObject({
      exitCode: 5,
      result: { forecast: { vboxCode: 'VERR_SSM_INTEGRITY_VERSION' } },
    });
    expect((await savkitFile('check', broken('bit-in-page'), '--virtualbox', '7.2')).exitCode).toBe(1);
    expect((await runHere('check', plain)).exitCode).toBe(2);
    expect((await runHere('check', plain, '--virtualbox', 'seven')).exitCode).toBe(2);
  });

  it('ends with 3 where nothing is in the way of what could be compared, and lists the rest', async () => {
    const path = join(folder, 'new.vbox');
    writeFileSync(
      path,
      '<VirtualBox><Machine><Hardware><Memory RAMSize="4"/><Paravirt provider="New"/><Display controller="None"/><BIOS><ACPI enabled="false"/></BIOS></Hardware></Machine></VirtualBox>',
    );
    const result = { loads: true, notJudged: ['paravirtualisation: new.vbox does not tell'] };
    expect(await savkitFile('check', plain, '--machine', path)).toMatchObject({ exitCode: 3, result });
  });

  it('takes hostile settings files for what they are', async () => {
    const path = join(folder, 'hostile.vbox');
    for (const text of [
      '<!DOCTYPE a [<!ENTITY b "cccc"><!ENTITY d "&b;&b;">]><VirtualBox>&d;</VirtualBox>',
      `${'<a>'.repeat(20_000)}`,
    ]) {
      writeFileSync(path, text);
      const { exitCode, stderr } = await runHere('check', plain, '--machine', path);
      expect(exitCode).toBe(1);
      expect(stderr).toContain('Cannot read hostile.vbox');
    }
  });
});

describe('savkit screenshot', () => {
  it('ends with 5, and writes nothing, where a state holds no picture', async () => {
    const output = join(folder, 'screen.png');
    const run = await runHere('screenshot', plain, '-o', output);
    expect([run.exitCode, existsSync(output)]).toEqual([5, false]);
    expect(run.stderr).toContain('no picture');
  });

  it('writes the picture as it is, to a file or stdout, and tells its size', async () => {
    const png = Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==',
      'base64',
    );
    const payload = Buffer.concat([Buffer.from(Uint32Array.of(1, 8 + png.length, 1, 1, 1).buffer), png]);
    const bytes = readFileSync(plain);
    const units = splitUnits(bytes).map((unit) =>
      unit.name === 'DisplayScreenshot' ? { name: unit.name, instance: 1100, version: 0x10001, payload } : unit,
    );
    const state = join(folder, 'picture.sav');
    writeFileSync(state, joinUnits(units, bytes));
    const output = join(folder, 'picture.png');
    const result = { width: 1, height: 1, offset: 20, size: png.length };
    expect(await savkitFile('screenshot', state, '-o', output)).toMatchObject({ exitCode: 0, result });
    expect(readFileSync(output)).toEqual(png);
    expect((await runHere('screenshot', state, '-o', '-')).stdout).toBe(png.toString('latin1'));
  });
});

describe('savkit explain', () => {
  it('explains codes by name and by number, and ends with 2 for unknown ones', async () => {
    expect(await savkitFile('explain', 'VERR_SSM_LOAD_CONFIG_MISMATCH')).toMatchObject({
      exitCode: 0,
      result: { codes: [{ number: -1844 }] },
    });
    expect((await runHere('explain', '1844')).stdout).toContain('savkit check STATE --machine');
    expect((await runHere('explain', '-1844')).exitCode).toBe(0);
    expect((await runHere('explain', 'VERR_NO_SUCH_THING')).exitCode).toBe(2);
  });

  it('explains logs', async () => {
    const log = join(folder, 'VBox.log');
    writeFileSync(
      log,
      "00:01 SSM: LoadExec failed for 'mm' instance #1 (version 2, pass 0xffffffff): VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH\n",
    );
    expect(await savkitFile('explain', log)).toMatchObject({
      exitCode: 0,
      result: { log: [{ unit: 'mm', pass: 'final' }] },
    });
    expect((await runHere('explain', join(folder, 'other.log'))).exitCode).toBe(4);
  });

  it('explains messages, as an argument, by stdin, and as PowerShell writes them', async () => {
    const message =
      "Unsupported version 13 of data unit 'pgm' (instance #1, pass 0xffffffff) (VERR_SSM_UNSUPPORTED_DATA_UNIT_VERSION)";
    const expected = { exitCode: 0, result: { log: [{ unit: 'pgm', instance: 1, version: 13 }] } };
    expect(await savkitFile('explain', message)).toMatchObject(expected);
    expect((await runSavkit(['explain', '-', '--json'], { stdin: Buffer.from(message) })).stdout.toString()).toContain(
      '"version": 13',
    );
    const file = join(folder, 'message.txt');
    for (const mark of ['\ufeff', '']) {
      const bytes = Buffer.from(`${mark}${message}\r\n`, 'utf16le');
      writeFileSync(file, bytes);
      expect(await savkitFile('explain', file)).toMatchObject(expected);
      writeFileSync(file, bytes.swap16());
      expect(await savkitFile('explain', file)).toMatchObject(expected);
    }
    expect((await runHere('explain', 'all is well here')).exitCode).toBe(2);
  });
});
