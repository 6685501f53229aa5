import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EnvironmentError } from '../../formats/errors.ts';
import { PAGE_SIZE } from '../../formats/sizes.ts';
import { copyGuest } from './copy-guest.ts';
import { RamFiles } from './memory/ram-files.ts';
import type { QemuSource } from './qemu-source.ts';

it('copyGuest() lets a guest go on of which nothing tells whether it was stopped', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'savkit-copy-'));
  const path = join(folder, 'ram');
  writeFileSync(path, new Uint8Array(PAGE_SIZE));
  const copy = RamFiles.open([{ path, offset: 0, pages: 1 }], 'r+');
  const calls: string[] = [];
  const silent = new EnvironmentError('qmp-silent', 'it has not answered stop for 30 s');
  const source = {
    ...{ isPaused: false, stopMs: 1 },
    startTracking: async () => {},
    takeDirty: async () => {},
    readyToPause: async () => false,
    pause: () => Promise.reject(silent),
    resume: async () => void calls.push('resume'),
    stopTracking: async () => void calls.push('stopTracking'),
  } as unknown as QemuSource;
  const { signal } = new AbortController();
  try {
    await expect(copyGuest(source, copy, { maxDowntimeMs: 300, signal })).rejects.toBe(silent);
    expect(calls).toEqual(['resume', 'stopTracking']);
  } finally {
    copy.close();
    rmSync(folder, { recursive: true });
  }
});
