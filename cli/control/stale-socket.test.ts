import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultSocketName, removeSocketsOfDead } from './stale-socket.ts';

const folder = mkdtempSync(join(tmpdir(), 'sk-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('sockets of default names', () => {
  it('are removed where their process was killed; sockets of living processes, and files, are not', async () => {
    const script = `require('net').createServer().listen(process.argv[1] + '/savkit-' + process.pid + '.sock', () => console.log('up'))`;
    const killed = spawn(process.execPath, ['-e', script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(killed.stdout, 'data');
    const dead = join(folder, defaultSocketName(killed.pid ?? 0));
    const own = join(folder, defaultSocketName(process.pid));
    const file = join(folder, defaultSocketName(2 ** 22 + 1));
    const server = createServer().listen(own);
    await once(server, 'listening');
    writeFileSync(file, 'kept');
    await removeSocketsOfDead(folder);
    expect([dead, own, file].map((path) => existsSync(path))).toEqual([true, true, true]);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    await removeSocketsOfDead(folder);
    expect([dead, own, file].map((path) => existsSync(path))).toEqual([false, true, true]);
    server.close();
  });
});
