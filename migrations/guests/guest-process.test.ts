import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { endsSoon, pathSeenBy, processBehind } from './guest-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-behind-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Listens, as a QEMU that was started in the folder of its guest. */
const LISTEN = `require('node:net').createServer().listen('vm.qmp', () => console.log('listens'))`;

describe.skipIf(!existsSync('/proc/self/fd'))('processBehind()', () => {
  it('finds who listens, whatever names of the socket both use; and that it ends', async () => {
    const child = spawn(process.execPath, ['-e', LISTEN], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(child.stdout, 'data');
      const path = join(folder, 'vm.qmp');
      symlinkSync(path, join(folder, 'other-name'));
      for (const name of [path, relative(process.cwd(), path), join(folder, 'other-name')])
        expect(processBehind(name)).toEqual({ pid: child.pid, commandLine: [process.execPath, '-e', LISTEN] });
      expect(processBehind(join(folder, 'nobody'))).toBeUndefined();
      expect(existsSync(pathSeenBy(child.pid ?? 0, 'vm.qmp'))).toBe(true);
      expect(pathSeenBy(child.pid ?? 0, path)).toBe(path);
    } finally {
      child.kill('SIGKILL');
    }
    expect(await endsSoon(child.pid ?? 0)).toBe(true);
  });
});
