import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { privateFolder, removeFolder } from '../guests/memory/private-folder.ts';

const MODULE = fileURLToPath(
  new URL(
    import.meta.url.includes('/dist/') ? './end-with-us.js' : '../../dist/migrations/qmp/end-with-us.js',
    import.meta.url,
  ),
);

/** Kills a process that has started another one, and done `then`. @returns the number of the other one */
async function killedAfter(folder: string, then: string): Promise<number> {
  const words = JSON.stringify(['-e', 'setTimeout(() => {}, 100_000)', `${folder}/qmp`]);
  const program = `
    const { endWithUs } = await import(${JSON.stringify(MODULE)});
    const { spawn } = await import('node:child_process');
    const child = spawn(process.execPath, ${words}, { stdio: 'ignore', detached: true });
    const watchdog = endWithUs(child.pid, ${JSON.stringify(folder)});
    ${then};
    console.log(child.pid);
    setTimeout(() => {}, 100_000);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = await new Promise<number>((resolve) => parent.stdout.once('data', (text) => resolve(Number(text))));
  parent.kill('SIGKILL');
  return pid;
}

function isThere(pid: number): boolean {
  // A process that has ended, and whose exit code nobody has taken, has an empty command line.
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'latin1') !== '';
}

const PATIENCE = { timeout: 60_000 };

describe.skipIf(!existsSync('/proc/self/cmdline'))('after savkit was killed', () => {
  const folder = () => mkdtempSync(join(tmpdir(), 'savkit-test-'));

  it('a process that was to end with it ends, and its folder is removed', async () => {
    const own = folder();
    const pid = await killedAfter(own, '');
    await vi.waitUntil(() => !isThere(pid) && !existsSync(own), PATIENCE);
  });

  it('a process that is to go on does so, and its folder is removed when it has ended', async () => {
    const own = folder();
    const pid = await killedAfter(own, 'watchdog.keep()');
    const other = folder();
    await killedAfter(other, '');
    await vi.waitUntil(() => !existsSync(other), PATIENCE);
    expect([isThere(pid), existsSync(own)]).toEqual([true, true]);
    process.kill(pid, 'SIGKILL');
    await vi.waitUntil(() => !existsSync(own), PATIENCE);
  });

  it('a process that has got the number of one that was to end lives on', async () => {
    const [own, other] = [folder(), folder()];
    const bystander = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 100_000)', other], { stdio: 'ignore' });
    await killedAfter(own, `endWithUs(${bystander.pid}, ${JSON.stringify(other.slice(0, -1))})`);
    await vi.waitUntil(() => !existsSync(own), PATIENCE);
    expect(bystander.exitCode).toBe(null);
    bystander.kill();
    rmSync(other, { recursive: true });
  });

  it('its folders are removed by the next savkit, unless a process that lives has one in its command line', async () => {
    const parent = folder();
    const [left, used, mine] = [privateFolder(parent), privateFolder(parent), privateFolder(parent)];
    const ended = spawn(process.execPath, ['-e', '']);
    await new Promise((resolve) => ended.once('exit', resolve));
    const of = (name: string) => name.replace(`-${process.pid}-`, `-${ended.pid}-`);
    renameSync(left, of(left));
    renameSync(used, of(used));
    const user = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 100_000)', `${of(used)}/qmp`]);
    await vi.waitUntil(() => isThere(user.pid ?? 0), PATIENCE);
    removeFolder(privateFolder(parent));
    expect(readdirSync(parent).sort()).toEqual([of(used), mine].map((path) => basename(path)).sort());
    user.kill();
    rmSync(parent, { recursive: true });
  });
});
