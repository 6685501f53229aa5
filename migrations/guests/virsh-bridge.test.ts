import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { record, text } from '../../formats/values/shape.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { runningDomains, VirshBridge } from './virsh-bridge.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-virsh-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** As virsh is: repeats each line after its prompt, and says of errors on stderr. */
const VIRSH = `#!${process.execPath}
if (process.argv.includes('list')) {
  console.log('c44a0256\\nd55b1367\\n\\n');
  process.exit(0);
}
if (process.argv.includes('domuuid')) {
  if (process.argv.at(-1) !== "vm'1") { console.error("error: failed to get domain 'nix'"); process.exit(1); }
  console.log('c44a0256\\n');
  process.exit(0);
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write('virsh # ' + line + '\\n');
  if (line.startsWith('echo ')) return void process.stdout.write(line.slice(5));
  const [, domain, json] = /^qemu-monitor-command '(.*?)' '(.*)'$/.exec(line);
  const { execute, arguments: args } = JSON.parse(json);
  if (execute === 'quit') process.exit(0);
  if (execute === 'lost') return void console.error('error: Requested operation is not valid: domain is not running');
  const answers = { 'query-version': { qemu: { major: 10, minor: 0, micro: 2 } }, 'query-status': { status: 'running' } };
  const value = execute === 'same' ? args.text : answers[execute];
  if (value === undefined) console.log(JSON.stringify({ id: 'libvirt-1', error: { class: 'GenericError', desc: 'no such command' } }));
  else console.log(JSON.stringify({ return: value, id: 'libvirt-1' }) + '\\n');
});
`;

describe.skipIf(process.platform === 'win32')('VirshBridge', () => {
  it('serves what QEMU answers to libvirt as QEMU would, and leaves nothing', async () => {
    writeFileSync(join(folder, 'virsh'), VIRSH, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
    expect(await runningDomains()).toEqual(['c44a0256', 'd55b1367']);
    // A name with an apostrophe, which would end the name on the command line.
    const bridge = await VirshBridge.open("vm'1");
    expect(bridge.uuid).toBe('c44a0256');
    const qmp = await QmpClient.connect(bridge.path, { withinMs: 60_000 });
    expect(qmp.version).toBe('10.0.2');
    const [status, same] = await Promise.all([
      qmp.ask('query-status', record({ status: text(20) })),
      qmp.ask('same', text(99), { text: `it's "quoted"` }),
    ]);
    expect([status, same]).toEqual([{ status: 'running' }, `it's "quoted"`]);
    await expect(qmp.execute('nonsense')).rejects.toThrow('QEMU refuses nonsense: no such command');
    await expect(qmp.execute('lost')).rejects.toThrow('domain is not running');
    await expect(qmp.execute('quit')).rejects.toMatchObject({ code: 'qmp-closed' });
    bridge.close();
    expect(existsSync(bridge.path)).toBe(false);
  });

  it('says why there is no such domain, or no virsh', async () => {
    writeFileSync(join(folder, 'virsh'), VIRSH, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
    await expect(VirshBridge.open('nix')).rejects.toMatchObject({
      code: 'qmp-refused',
      message: "libvirt refuses domain nix: failed to get domain 'nix'",
    });
    // A libvirt that hangs.
    writeFileSync(join(folder, 'virsh'), '#!/bin/sh\ntrap "" TERM\nsleep 100', { mode: 0o755 });
    await expect(VirshBridge.open('nix', { withinMs: 200 })).rejects.toMatchObject({ code: 'no-answer' });
    const stop = new AbortController();
    const listed = runningDomains({ signal: stop.signal });
    stop.abort();
    await expect(listed).rejects.toMatchObject({ code: 'interrupted' });
    vi.stubEnv('PATH', join(folder, 'none'));
    await expect(VirshBridge.open('nix')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('gives up a virsh whose answer has no end', async () => {
    const flood = `require('node:child_process').spawnSync('cat', ['/dev/zero'], { stdio: ['ignore', 'inherit', 2] })`;
    const endless = VIRSH.replace("if (execute === 'quit')", `if (execute === 'endless') ${flood};\n  $&`);
    writeFileSync(join(folder, 'virsh'), endless, { mode: 0o755 });
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
    const bridge = await VirshBridge.open("vm'1");
    const qmp = await QmpClient.connect(bridge.path, { withinMs: 60_000 });
    await expect(qmp.execute('endless')).rejects.toMatchObject({ code: 'qmp-closed' });
    bridge.close();
  });
});
