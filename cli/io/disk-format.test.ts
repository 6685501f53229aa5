import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { diskFormats } from './disk-format.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-disk-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.skipIf(process.platform === 'win32')('refuses a pipe as a disk, and does not wait for its writer', async () => {
  const pipe = join(folder, 'disk');
  spawnSync('mkfifo', [pipe]);
  await expect(diskFormats(new Map([['ide0:0', pipe]]))).rejects.toMatchObject({ code: 'ESPIPE' });
});
