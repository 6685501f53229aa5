import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, ftruncateSync, openSync, readdirSync, readlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { GIB } from '../../formats/sizes.ts';
import { MAIN } from '../testing/run-savkit.ts';
import { testGround } from '../testing/test-ground.ts';
import { forgetInputs, readSmallFile } from './input.ts';

const { folder, ending } = testGround('input');
const TIB = 2 ** 40;

// The tests share a process: a file that gets the place of an input on the disk could not be written.
afterEach(forgetInputs);

/** A file so long that nobody would wait for its end; most of it is a hole, which takes no room on the disk. */
function endless(name: string, beginning: string): string {
  const path = join(folder, name);
  const file = openSync(path, 'w');
  writeSync(file, beginning);
  ftruncateSync(file, TIB);
  closeSync(file);
  return path;
}

function hasOpen(pid: number | undefined, path: string): boolean {
  const fds = `/proc/${pid}/fd`;
  return readdirSync(fds).some((fd) => {
    try {
      return readlinkSync(join(fds, fd)) === path;
    } catch {
      return false;
    }
  });
}

it.skipIf(process.platform !== 'linux')(
  'a signal ends the work on a file however long that is',
  async () => {
    const path = endless('log', 'words\n');
    const child = spawn(process.execPath, [MAIN, 'explain', path], { stdio: 'ignore' });
    ending.push(() => child.kill('SIGKILL'));
    const ended = once(child, 'exit');
    await vi.waitUntil(() => hasOpen(child.pid, path), { timeout: 60_000, interval: 5 });
    child.kill('SIGINT');
    // Without the signal it would not end while this test waits.
    expect(await ended).toEqual([130, null]);
  },
  120_000,
);

describe('readSmallFile()', () => {
  it.skipIf(process.platform === 'win32')('takes little memory for a file without an end', async () => {
    await expect(readSmallFile('/dev/zero', GIB)).rejects.toThrow(
      'Cannot read /dev/zero: it has more than 67108864 bytes; as a file it may have 1073741824',
    );
    await expect(readSmallFile('/dev/zero', 4096)).rejects.toThrow(/more than 4096 bytes$/);
  });

  it('does not begin to read a file that is too long', async () => {
    const since = process.cpuUsage();
    await expect(readSmallFile(endless('settings', '{'), GIB)).rejects.toThrow(/more than 1073741824 bytes$/);
    expect(process.cpuUsage(since).user / 1000).toBeLessThan(500);
  });
});
