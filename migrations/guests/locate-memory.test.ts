import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import type { Backend, GuestFacts } from './guest-facts.ts';
import { processBehind } from './guest-process.ts';
import { expectOwnFiles, locateMemory } from './locate-memory.ts';
import { RamFiles } from './memory/ram-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-locate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function factsOf(backend: Partial<Backend>, pid?: number): GuestFacts {
  const whole = { id: 'pc.ram', bytes: PAGE_SIZE, isShared: true, type: 'memory-backend-file', offset: 0, ...backend };
  const process = pid === undefined ? undefined : { pid, commandLine: [] };
  return { backends: [{ path: undefined, hostAddress: undefined, ...whole }], process } as unknown as GuestFacts;
}

describe('memory that QEMU names', () => {
  it.each([0, 1, PAGE_SIZE - 100, 2 ** 53 - 1])('is refused where it has %d bytes, which are no pages', (bytes) => {
    expect(() => locateMemory(factsOf({ bytes, path: join(folder, 'ram') }))).toThrow(
      expect.objectContaining({ code: 'ram-hidden', message: expect.stringContaining(`has ${bytes} bytes`) }),
    );
  });

  it.skipIf(process.platform === 'win32')('is refused, not waited for, where it is a pipe', () => {
    const path = join(folder, 'pipe');
    spawnSync('mkfifo', [path]);
    expect(() => RamFiles.open(locateMemory(factsOf({ path })), 'r')).toThrow(
      expect.objectContaining({ code: 'ram-gone', message: expect.stringContaining('it is no file') }),
    );
  });

  it.skipIf(!existsSync('/proc/self/fd'))('is refused where QEMU itself has not opened the file', async () => {
    const [own, other] = ['own', 'other'].map((name) => join(folder, name));
    for (const path of [own, other]) writeFileSync(path, Buffer.alloc(PAGE_SIZE));
    const script = `require('node:fs').openSync(${JSON.stringify(own)}, 'r'); console.log(1); setInterval(() => {}, 1e6)`;
    const qemu = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(qemu.stdout, 'data');
      for (const [path, isOwn] of [
        [own, true],
        [other, false],
      ] as const) {
        const facts = factsOf({ path }, qemu.pid);
        const ram = RamFiles.open(locateMemory(facts), 'r');
        const look = () => expectOwnFiles(facts, ram.places, '');
        if (isOwn) expect(look).not.toThrow();
        else expect(look).toThrow(expect.objectContaining({ code: 'ram-hidden' }));
        ram.close();
      }
    } finally {
      qemu.kill('SIGKILL');
    }
  });

  it.skipIf(!existsSync('/proc/self/fd'))('is refused so, too, where several processes seem to be QEMU', async () => {
    const [own, other] = ['mine.ram', 'other.ram'].map((name) => join(folder, name));
    for (const path of [own, other]) writeFileSync(path, Buffer.alloc(PAGE_SIZE));
    const script = `require('node:fs').openSync(${JSON.stringify(own)}, 'r');
      require('node:net').createServer().listen('vm.qmp', () => console.log(1))`;
    const [mine, theirs] = ['mine', 'theirs'].map((name) => join(folder, name));
    const listening = [mine, theirs].map((cwd) => {
      mkdirSync(cwd);
      return spawn(process.execPath, ['-e', script], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
    });
    try {
      await Promise.all(listening.map((child) => once(child.stdout, 'data')));
      const socket = join(mine, 'vm.qmp');
      rmSync(join(theirs, 'vm.qmp'));
      symlinkSync(socket, join(theirs, 'vm.qmp'));
      expect(processBehind(socket)).toBeUndefined();
      for (const path of [own, other]) {
        const facts = factsOf({ path });
        const ram = RamFiles.open(locateMemory(facts), 'r');
        const look = () => expectOwnFiles(facts, ram.places, socket);
        if (path === own) expect(look).not.toThrow();
        else expect(look).toThrow(expect.objectContaining({ code: 'ram-hidden' }));
        ram.close();
      }
    } finally {
      for (const child of listening) child.kill('SIGKILL');
    }
  });
});
