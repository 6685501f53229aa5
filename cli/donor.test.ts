import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { readDonorMachine } from '../src/saved-state/adapt/donor-script.ts';
import { STATES_FOLDER } from '../src/testing/states.ts';
import { MAIN, runSavkit } from './testing/run-savkit.ts';
import { savkitFile } from './testing/savkit-json.ts';

const root = mkdtempSync(join(tmpdir(), 'savkit-donor-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const SETTINGS = `<VirtualBox><Machine uuid="{b529e1e0-1b69-48e9-bcd0-1cb85e83a2fc}" name="box" stateFile="Snapshots/old.sav">
<Hardware><Boot><Order position="1" device="HardDisk"/><Order position="2" device="None"/></Boot></Hardware></Machine></VirtualBox>`;

// Stands for VBoxManage, for a machine that is saved, started, paused and saved again. Its state stands in a file, its
// last boot order, too. SAVING=fails: it can't be saved.
const MANAGE = `#!/bin/sh
cd "$HOME"; echo "$*" >> calls
case "$1 $3" in
  'showvminfo --machinereadable') echo "VMState=\\"$(cat state)\\"" ;;
  'getextradata '*) [ -s note ] && echo "Value: $(cat note)" || echo 'No value set!' ;;
  'setextradata '*) echo "\${4:-}" > note; [ -n "\${4:-}" ] || rm note ;;
  'discardstate ') echo poweroff > state; rm -f box/Snapshots/*.sav ;;
  'modifyvm '*) shift 2; echo "$*" > boot ;;
  'controlvm resume') echo running > state ;;
  'controlvm pause') echo paused > state ;;
  'controlvm poweroff') kill "$(cat headless)" 2> /dev/null; echo poweroff > state ;;
  'controlvm savestate')
    [ "\${SAVING:-}" != hangs ] || { touch saving; sleep 2; }
    [ "\${SAVING:-}" != fails ] || { echo 'VBoxManage: error: no disk space' >&2; kill "$(cat headless)" 2> /dev/null; echo poweroff > state; exit 1; }
    kill "$(cat headless)" 2> /dev/null
    cp "$STATE" "box/Snapshots/new.sav"; echo saved > state ;;
esac`;
const HEADLESS = '#!/bin/sh\ncd "$HOME"; echo paused > state; echo $$ > headless; [ -z "$HANGS" ] || exec sleep 600';

let home: string;
const at = (name: string) => join(home, name);
const told = (name: string) => readFileSync(at(name), 'utf8').trim();
const environment = (more: Record<string, string> = {}) => ({
  env: {
    HOME: home,
    HANGS: '',
    STATE: join(STATES_FOLDER, 'own-pae.sav'),
    PATH: at('bin') + delimiter + process.env.PATH,
    ...more,
  },
  cwd: home,
});

beforeEach(() => {
  home = mkdtempSync(join(root, 'home-'));
  mkdirSync(at('bin'));
  mkdirSync(at('box/Snapshots'), { recursive: true });
  writeFileSync(at('box/box.vbox'), SETTINGS);
  writeFileSync(at('box/Snapshots/old.sav'), 'the old state');
  writeFileSync(at('state'), 'saved');
  for (const [name, text] of Object.entries({ VBoxManage: MANAGE, VBoxHeadless: HEADLESS })) {
    writeFileSync(at(`bin/${name}`), text);
    chmodSync(at(`bin/${name}`), 0o755);
  }
});

describe('savkit donor', () => {
  it('saves the machine right after power-on, keeps its state, and puts the boot order back', async () => {
    const { exitCode, stderr } = await runSavkit(['donor', 'box', '--run', '-o', 'donor.sav'], environment());
    expect([exitCode, stderr.toString()]).toEqual([0, '']);
    expect(readFileSync(at('donor.sav'))).toEqual(readFileSync(join(STATES_FOLDER, 'own-pae.sav')));
    expect([told('box-kept.sav'), told('state')]).toEqual(['the old state', 'poweroff']);
    expect(told('boot')).toBe('--boot1 disk --boot2 none --boot3 disk --boot4 none');
    expect(told('calls')).toContain('--boot1 none --boot2 none --boot3 none --boot4 none');
  });

  it('says why it cannot be saved, leaves no file, and puts the boot order back', async () => {
    const run = environment({ SAVING: 'fails' });
    const { exitCode, stderr } = await runSavkit(['donor', 'box', '--run', '-o', 'donor.sav'], run);
    expect(exitCode).toBe(4);
    expect(stderr.toString()).toMatch(/^Cannot make a donor of box: /);
    expect([existsSync(at('donor.sav')), told('boot')]).toEqual([false, expect.stringContaining('--boot1 disk')]);
    expect(told('box-kept.sav')).toBe('the old state');
  });

  /** Starts a donor whose machine never pauses, and waits until it has started. */
  async function started() {
    const { env, cwd } = environment({ HANGS: 'yes', SAVING: 'hangs' });
    const child = spawn(process.execPath, [MAIN, 'donor', 'box', '--run', '-o', 'donor.sav'], {
      env: { ...process.env, ...env },
      cwd,
      detached: true,
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    await vi.waitUntil(() => existsSync(at('saving')), { timeout: 60_000, interval: 20 });
    return { child, ended, group: -(child.pid ?? Number.NaN) };
  }

  it('puts all back when it is told to end', async () => {
    const { child, ended } = await started();
    child.kill('SIGTERM');
    expect(await ended).toEqual([130, null]);
    expect([told('state'), told('boot'), existsSync(at('note'))]).toEqual([
      'poweroff',
      '--boot1 disk --boot2 none --boot3 disk --boot4 none',
      false,
    ]);
  });

  it('ends the machine of a killed donor, and knows the boot order from before that', async () => {
    const { ended, group } = await started();
    process.kill(group, 'SIGKILL');
    await ended;
    expect([told('state'), told('boot'), told('box-kept.sav')]).toEqual([
      'paused',
      '--boot1 none --boot2 none --boot3 none --boot4 none',
      'the old state',
    ]);
    // The settings as VirtualBox has written them anew.
    const note = `<ExtraData><ExtraDataItem name="savkit/donor" value="${told('note')}"/></ExtraData>`;
    const left = SETTINGS.replaceAll('"HardDisk"', '"None"').replace('<Hardware>', `${note}<Hardware>`);
    writeFileSync(at('box/box.vbox'), left.replace(' stateFile="Snapshots/old.sav"', ''));
    rmSync(at('saving'));
    const again = () => runSavkit(['donor', 'box', '--run', '-o', 'donor.sav'], environment());
    // The process of the killed donor is gone, and another one may have its number now.
    const refused = await again();
    expect([refused.exitCode, refused.stderr]).toEqual([
      4,
      expect.stringContaining('the machine runs: VBoxManage controlvm box poweroff ends it'),
    ]);
    spawn(at('bin/VBoxHeadless'), [], environment({ HANGS: 'yes' }));
    // The machine's process is another program that stands for VirtualBox.
    writeFileSync(
      at('bin/ps'),
      `#!/bin/sh\n[ "$2" != "${told('note').split(' ')[1]}" ] || echo VBoxHeadless --startvm box`,
    );
    chmodSync(at('bin/ps'), 0o755);
    const { exitCode, stderr } = await again();
    expect([exitCode, stderr]).toEqual([0, '']);
    expect([told('state'), told('boot'), existsSync(at('note'))]).toEqual([
      'poweroff',
      '--boot1 disk --boot2 none --boot3 disk --boot4 none',
      false,
    ]);
    // A state that the killed donor may have made is neither kept as the machine's own nor dropped.
    writeFileSync(at('box/box.vbox'), left);
    const unsure = await runSavkit(['donor', 'box', '--run', '--force', '-o', 'donor.sav'], environment());
    expect([unsure.exitCode, unsure.stderr]).toEqual([
      2,
      expect.stringContaining('VBoxManage discardstate box drops it'),
    ]);
  });

  it('leaves another one at work alone', async () => {
    writeFileSync(at('note'), `${process.pid} 0 --boot1 disk`);
    const { exitCode, stderr } = await runSavkit(['donor', 'box', '--run', '-o', 'donor.sav'], environment());
    expect([exitCode, stderr]).toEqual([4, expect.stringContaining(`process ${process.pid} makes a donor already`)]);
    expect(told('state')).toBe('saved');
  });

  it('never puts a kept state over another file', async () => {
    writeFileSync(at('box-kept.sav'), 'mine');
    expect((await runSavkit(['donor', 'box', '--run'], environment())).exitCode).toBe(2);
    expect([told('box-kept.sav'), existsSync(at('calls'))]).toEqual(['mine', false]);
  });

  it('prints the same as a script', async () => {
    const { result } = await savkitFile<{ script: string }>('donor', at('box/box.vbox'), '-o', "it's.sav");
    writeFileSync(at('donor.sh'), result.script);
    execFileSync('sh', ['donor.sh'], environment());
    expect(readFileSync(at("it's.sav"))).toEqual(readFileSync(join(STATES_FOLDER, 'own-pae.sav')));
  });
});

describe('readDonorMachine()', () => {
  it('takes the number of a machine whose name is no plain word', () => {
    for (const name of ['-x', '$(reboot)', 'a b', "it's"]) {
      const { id } = readDonorMachine(SETTINGS.replace('name="box"', `name="${name}"`), 'box.vbox');
      expect(id).toBe('b529e1e0-1b69-48e9-bcd0-1cb85e83a2fc');
    }
    const bad = SETTINGS.replace('name="box"', 'name="$(x)"').replace(/uuid="[^"]*"/, 'uuid="$(y)"');
    expect(() => readDonorMachine(bad, 'box.vbox')).toThrow(expect.objectContaining({ code: 'bad-settings' }));
  });
});
