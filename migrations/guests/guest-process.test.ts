import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { endsSoon, pathSeenBy, processBehind, processesBehind, processWithWords } from './guest-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-behind-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program that listens at a relative path, as a QEMU does that was started in the folder of its guest. */
const LISTEN = `require('node:net').createServer().listen('vm.qmp', () => console.log('listens'))`;

describe.skipIf(!existsSync('/proc/self/fd'))('processBehind()', () => {
  it('finds the process that listens, whatever name of the socket it is asked by, and notices its end', async () => {
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

  it('names nobody where another process poses as the one that listens', async () => {
    const [mine, theirs] = [join(folder, 'mine'), join(folder, 'theirs')];
    const listening = [mine, theirs].map((cwd) => {
      mkdirSync(cwd);
      return spawn(process.execPath, ['-e', LISTEN], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    });
    try {
      await Promise.all(listening.map((child) => once(child.stdout, 'data')));
      const path = join(mine, 'vm.qmp');
      expect(processBehind(path)?.pid).toBe(listening[0].pid);
      rmSync(join(theirs, 'vm.qmp'));
      symlinkSync(path, join(theirs, 'vm.qmp'));
      expect(processBehind(path)).toBeUndefined();
      const pids = processesBehind(path).map(({ pid }) => pid);
      expect(pids.sort()).toEqual(listening.map(({ pid }) => pid).sort());
    } finally {
      for (const child of listening) child.kill('SIGKILL');
    }
  });
});

describe.skipIf(!existsSync('/proc/self/fd'))('processWithWords()', () => {
  it('finds the one process with the words, and none of several', async () => {
    const words = ['-uuid', `savkit-test-${process.pid}`];
    const start = () =>
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log(1)', '--', 'x', ...words], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    const children = [start()];
    try {
      await once(children[0].stdout, 'data');
      expect(processWithWords(...words)?.pid).toBe(children[0].pid);
      children.push(start());
      await once(children[1].stdout, 'data');
      expect(processWithWords(...words)).toBeUndefined();
    } finally {
      for (const child of children) child.kill('SIGKILL');
    }
  });
});
