import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { enterWorld, REAL_WORLD } from '../../formats/world/world.ts';
import { hostTscHz } from './host-clock.ts';

afterEach(() => void enterWorld(REAL_WORLD));

it('no QEMU is started where there is no room for its answer', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'savkit-clock-'));
  const [program, mark] = [join(folder, 'qemu'), join(folder, 'started')];
  writeFileSync(program, `#!/bin/sh\n: > '${mark}'\n`, { mode: 0o755 });
  const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
  const refuse = () => {
    throw full;
  };
  try {
    await expect(hostTscHz(program)).rejects.toMatchObject({ code: 'qemu-refuses' });
    expect(existsSync(mark)).toBe(true);
    rmSync(mark);
    enterWorld({ ...REAL_WORLD, disk: { ...REAL_WORLD.disk, openSync: refuse, openUnnamedSync: refuse } });
    await expect(hostTscHz(program)).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(existsSync(mark)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
