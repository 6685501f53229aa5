import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { STATES_FOLDER } from '../../testing/states.ts';
import { momentOf, readHistory } from '../machine-facts/snapshots.ts';
import { checkHistory, settingsIn } from './check-machine.ts';

// Settings that 7.2.22 wrote: a snapshot of an ICH9 machine with two CPUs, then two machines that were made from that
// one.
const text = readFileSync(join(STATES_FOLDER, '../machines/snapshots.vbox'), 'utf8');
const STATE = /stateFile="Snapshots\/([^"]+)"/.exec(text)?.[1] ?? '';
const root = mkdtempSync(join(tmpdir(), 'savkit-history-'));
const folder = join(root, 'box');
const file = join(folder, 'Snapshots', STATE);
const plain = join(STATES_FOLDER, 'own-long.sav');
afterAll(() => rmSync(root, { recursive: true, force: true }));

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'Snapshots'), { recursive: true });
  writeFileSync(join(folder, 'box.vbox'), text);
});

async function fates(settings = text) {
  const moments = await checkHistory(join(folder, 'box.vbox'), readHistory(settings, 'box.vbox'), {});
  return moments.map(({ fate, forecast, whole }) => [
    fate,
    ...(forecast?.unit ? [forecast.unit] : []),
    ...(whole === undefined ? [] : [whole]),
  ]);
}

describe('readHistory()', () => {
  it('has each snapshot with the settings of its time', () => {
    const { moments } = readHistory(text, 'box.vbox');
    const told = moments.map(({ snapshot, depth, machine }) => [
      snapshot?.name,
      depth,
      machine.chipset,
      machine.cpuCount,
    ]);
    expect(told).toEqual([
      ['first one', 0, 'ich9', 2],
      ['second', 1, 'piix3', 1],
      ['no state', 2, 'piix3', 1],
      [undefined, 0, 'piix3', 1],
    ]);
    expect(moments[0].machine.configs?.has('ahci/0')).toBe(true);
    expect(moments[1].machine.configs?.has('ahci/0')).toBe(false);
  });

  it('knows a state by its file, wherever that lies', () => {
    const history = readHistory(text, 'box.vbox');
    expect(momentOf(history, `/elsewhere/${STATE}`)?.snapshot?.name).toBe('first one');
    expect(momentOf(history, '/elsewhere/other.sav')).toBeUndefined();
    const onWindows = readHistory(text.replace('Snapshots/', 'Snapshots\\'), 'box.vbox');
    expect(momentOf(onWindows, STATE)?.snapshot?.name).toBe('first one');
  });
});

describe('checkHistory()', () => {
  const without = ['none'];

  it('tells a missing state, and one that no snapshot names', async () => {
    cpSync(plain, join(folder, 'Snapshots', 'stranger.sav'));
    writeFileSync(join(folder, 'Snapshots', 'cut.sav'), readFileSync(plain).subarray(0, 50_000));
    expect(await fates()).toEqual([['missing'], without, without, without, ['orphaned', false], ['orphaned', true]]);
  });

  it('compares a state with the settings of its snapshot', async () => {
    cpSync(plain, file);
    expect(await fates()).toEqual([['refused', 'cpum/1'], without, without, without]);
    // The same state in a machine like its own.
    const own = text
      .replace(/stateFile="[^"]*"/, '')
      .replace('name="second"', `name="second" stateFile="Snapshots/${STATE}"`);
    expect((await fates(own.replaceAll('<IOAPIC enabled="true"/>', '')))[1]).toEqual(['fits']);
  });

  it.skipIf(process.platform === 'win32')('waits for no writer of a pipe', async () => {
    spawnSync('mkfifo', [file, join(folder, 'Snapshots', 'other.sav')]);
    expect(await fates()).toEqual([['unreadable'], without, without, without, ['unreadable']]);
  });

  it('tells a damaged state', async () => {
    writeFileSync(file, readFileSync(plain).subarray(0, 50_000));
    expect((await fates())[0][0]).toBe('damaged');
  });
});

describe('settingsIn()', () => {
  it('takes the settings of the folder, and says where it cannot choose', () => {
    expect(settingsIn(folder)).toBe(join(folder, 'box.vbox'));
    writeFileSync(join(folder, 'copy.vbox'), text);
    expect(settingsIn(folder)).toBe(join(folder, 'box.vbox'));
    rmSync(join(folder, 'box.vbox'));
    writeFileSync(join(folder, 'other.vbox'), text);
    expect(() => settingsIn(folder)).toThrow(/copy.vbox, other.vbox/);
    expect(() => settingsIn(root)).toThrow(/no settings file/);
    // A folder that can't be listed, like one of another user.
    const cannotList = expect.objectContaining({ code: 'ENOTDIR', message: expect.stringContaining('Cannot list') });
    expect(() => settingsIn(join(folder, 'copy.vbox'))).toThrow(cannotList);
  });
});
