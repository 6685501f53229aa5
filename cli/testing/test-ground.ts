import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';

/**
 * What tests need that start processes: a folder of their own, which is removed after the last one, and the ends of all
 * that a test has started, which come whatever became of it.
 */
export function testGround(name: string): {
  folder: string;
  ending: (() => void)[];
  start: (...args: string[]) => SavkitProcess;
} {
  const folder = mkdtempSync(join(tmpdir(), `savkit-${name}-`));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const ending: (() => void)[] = [];
  afterEach(() => {
    for (const end of ending.splice(0)) end();
  });
  const start = (...args: string[]) => {
    const started = new SavkitProcess(...args);
    ending.push(() => started.child.kill('SIGKILL'));
    return started;
  };
  return { folder, ending, start };
}
