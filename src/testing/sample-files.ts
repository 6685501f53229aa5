import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FOUR_GIB } from '../../formats/sizes.ts';
import type { Truth } from './states.ts';

/** Calls `use` for each state of the folders: `NAME.sav` or `NAME.ssm`, also as `.xz`, with `NAME.json` beside it. */
export async function forEachSample(
  folders: readonly string[],
  use: (name: string, path: string, truth: Truth) => Promise<void>,
): Promise<void> {
  for (const folder of folders) {
    for (const file of readdirSync(folder)) {
      const truthFile = join(folder, file.replace(/\.(sav|ssm)(\.xz)?$/, '.json'));
      if (!/\.(sav|ssm)(\.xz)?$/.test(file) || !existsSync(truthFile)) continue;
      const truth = JSON.parse(readFileSync(truthFile, 'utf8')) as Truth;
      await unpacked(join(folder, file), (path) => use(file, path, truth));
    }
  }
}

async function unpacked(path: string, use: (path: string) => Promise<void>): Promise<void> {
  if (!path.endsWith('.xz')) return use(path);
  const folder = mkdtempSync(join(tmpdir(), 'savkit-samples-'));
  try {
    const plain = join(folder, 'state.sav');
    writeFileSync(plain, execFileSync('xz', ['-dc', path], { maxBuffer: FOUR_GIB }));
    await use(plain);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
