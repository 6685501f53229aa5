import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

interface Claim {
  what: string;
  answer: string;
  /** Memory that the target has taken for it, in MiB. */
  mib: number;
}

it('Claims of a description cost a target next to nothing, however large: they are counted before they are believed', async () => {
  const script = fileURLToPath(new URL('../dist/migrations/testing/hostile-memory.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const [first, ...claims] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Claim);
  expect(first.answer).toBe('accept');
  expect(claims).toHaveLength(9);
  for (const { what, answer, mib } of claims) {
    expect(answer, what).toMatch(/too-much-memory|unexpected-content|bad-footer/);
    expect(mib, what).toBeLessThan(256);
  }
});
