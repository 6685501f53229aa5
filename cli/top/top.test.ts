import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { MIB } from '../../formats/sizes.ts';
import { world } from '../../formats/world/world.ts';
import { fakeQemu } from '../../migrations/testing/fake-qemu.ts';
import { FakeQmp } from '../../migrations/testing/fake-qmp.ts';
import { writeFakeVirsh } from '../../migrations/testing/fake-virsh.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import type { KeptMachine } from '../control/kept-machine.ts';
import { runHere } from '../testing/run-here.ts';
import { runSavkit } from '../testing/run-savkit.ts';
import { expectSchema } from '../testing/savkit-json.ts';
import { testGround } from '../testing/test-ground.ts';

const { folder, ending, start, keep } = testGround('top');

describe('top', () => {
  it('shows machines, their migrations, and what is on record as open; plain where nobody watches', async () => {
    const [vms, records] = ['vms', 'records'].map((name) => join(folder, name));
    for (const each of [vms, records]) mkdirSync(each);
    const running = RunningMachine.of(await emptyMachine(4 * MIB), { kind: 'idle' });
    const figures = { round: 2, ofRound: 0.5, total: 0.25, bytes: 1000, rate: 2 * MIB, dirtyRate: 100, downtimeMs: 20 };
    const kept: KeptMachine = { name: 'one', running };
    await keep(kept, join(vms, 'one.sock'));
    const look = (...words: string[]) => runHere('top', vms, '--records', records, ...words);
    expect((await look()).stdout).not.toContain('phase');
    kept.migration = { to: 'b:7000', phase: 'sends', since: 0, progress: { ...figures, leftMs: [1000, 2000] } };
    const migration = 'ab'.repeat(16);
    const record = { side: 'target', migration, decision: 'ready', machine: 'two', peer: 'c:1', attempt: 1, at: 0 };
    const own = { format: 'savkit-migration/1', pid: process.pid, place: world.process.place() };
    writeFileSync(join(records, `${migration}.target.json`), JSON.stringify({ ...own, ...record }));
    const { stdout, exitCode } = await look();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/one +4 MiB .*→ b:7000 +sends +2 +25 % +2 MiB\/s +100 B.*\/s +2 MiB +20 ms/);
    expect(stdout).toMatch(/two .*← c:1 +ready/);
    expect(stdout).not.toContain('\u001b');
    const document = JSON.parse((await look('--json')).stdout);
    expectSchema(document);
    expect(document.files[0].result.rows).toMatchObject([
      { name: 'one', to: 'b:7000', round: 2, remainingBytes: 2 * MIB },
      { name: 'two', from: 'c:1', phase: 'ready', bytes: null },
    ]);
  });

  it('tells of a machine that was named, and does not answer', async () => {
    const { exitCode, stdout } = await runHere('top', join(folder, 'none.sock'), '--records', join(folder, 'no'));
    expect([exitCode, stdout]).toEqual([4, expect.stringContaining('there is no control socket')]);
  });

  it.skipIf(process.platform === 'win32')('shows the guests of libvirt that run', async () => {
    const ram = join(folder, 'ram');
    writeFileSync(ram, new Uint8Array(4 * MIB));
    const qemu = await fakeQemu(ram);
    ending.push(() => qemu.close(), vi.unstubAllEnvs);
    writeFakeVirsh(folder, { uuid: 'c44a0256', qmp: qemu.path });
    vi.stubEnv('PATH', `${folder}${delimiter}${process.env.PATH}`);
    const { stdout, stderr } = await runHere('top', 'libvirt:', '--records', join(folder, 'no'), '--json');
    expect([JSON.parse(stdout).files[0].result.rows, stderr]).toMatchObject([
      [{ at: 'libvirt:c44a0256', name: 'fake', bytes: 4 * MIB, state: 'running' }],
      '',
    ]);
  });

  it.each(['greets', 'answers'])('ends soon where a QEMU no longer %s', async (last) => {
    const qemu = await FakeQmp.open(() => undefined);
    ending.push(() => qemu.close());
    if (last === 'greets') qemu.greeting = undefined;
    const top = start('top', `qmp:${qemu.path}`, '--interval', '1');
    await vi.waitUntil(() => (last === 'greets' ? qemu.clients > 0 : qemu.asked.includes('query-status')), 60_000);
    top.child.kill('SIGINT');
    expect(await top.ended).toMatchObject({ exitCode: 130, stderr: '' });
    // Had `top` waited for QEMU's answer until its limit, it would have printed a look first.
    expect(top.events.filter(({ event }) => event === 'look')).toEqual([]);
  });

  it('asks any number of machines without a warning of Node', async () => {
    const nowhere = Array.from({ length: 20 }, (_, i) => join(folder, `nowhere-${i}`));
    expect((await runSavkit(['top', ...nowhere, '--json'])).stderr).toBe('');
  });

  it('refuses to look without a pause', async () => {
    expect((await runHere('top', '--interval', '0')).exitCode).toBe(2);
  });
});
