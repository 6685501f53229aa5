import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { LineLog } from './line-log.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-line-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

describe('a log', () => {
  it('on a full disk says so, and is good to go on with: half a line does not stay', async () => {
    const path = join(folder, 'log');
    const entries: unknown[] = [];
    const options = { head: { journal: 'x' }, onEntry: (entry: unknown) => entries.push(entry) };
    const log = await LineLog.open(path, { ...options, resume: false });
    const probe = await open(path);
    const whole = Object.getPrototypeOf(probe).appendFile;
    await probe.close();
    const full = vi.spyOn(Object.getPrototypeOf(probe), 'appendFile').mockImplementationOnce(async function (
      this: unknown,
      ...[line]: unknown[]
    ) {
      await whole.call(this, String(line).slice(0, 5));
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });
    });
    const [failed, next] = [log.append({ n: 1 }), log.append({ n: 2 })];
    await expect(failed).rejects.toMatchObject({ code: 'ENOSPC', message: expect.stringContaining(`journal ${path}`) });
    await next;
    expect(full).toHaveBeenCalledTimes(2);
    await log.close();
    expect(readFileSync(path, 'utf8')).toBe('{"journal":"x"}\n{"n":2}\n');
    await (await LineLog.open(path, { ...options, resume: true })).close();
    expect(entries).toEqual([{ n: 2 }]);
  });
});
