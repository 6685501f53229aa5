import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readRecord } from './decision-record.ts';
import { resolveRecordFiles } from './resolve-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-record-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('readRecord()', () => {
  it.each([
    ['a pipe that nobody writes to', (path: string) => spawnSync('mkfifo', [path])],
    ['a device without end', (path: string) => symlinkSync('/dev/zero', path)],
    ['a folder', (path: string) => symlinkSync(folder, path)],
    ['far longer than any', (path: string) => writeFileSync(path, ' '.repeat(70_000))],
    ['no record', (path: string) => writeFileSync(path, '{}')],
  ])('takes nothing that is %s for a record, and does not wait', async (name, make) => {
    const path = join(folder, name);
    make(path);
    await expect(readRecord(path)).rejects.toMatchObject({ code: 'bad-record' });
    await expect(resolveRecordFiles({ path, peerEnded: false })).rejects.toMatchObject({ code: 'bad-record' });
  });
});
