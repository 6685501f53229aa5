import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Decision, readRecord, recordPath, writeRecord } from '../../migrations/hand-over/decision-record.ts';
import { leftGuests, recordOfKilled } from '../../migrations/testing/left-guest.ts';
import { savkitFile } from '../testing/savkit-json.ts';

const { folder, ram, start } = leftGuests('again', 64 * 4096);

/** A guest that stands still because savkit was killed during its migration. */
async function left(decision: Decision) {
  const fake = await start({ status: 'postmigrate' });
  const record = recordOfKilled({ qmp: fake.path, ram: [ram] }, { decision });
  const path = recordPath(folder, record.migration, record.side);
  await writeRecord(path, record);
  const words = ['migrate', `qmp:${fake.path}`, '--records', folder, '--to', '127.0.0.1:1', '--insecure'];
  return { fake, path, again: (...more: string[]) => savkitFile<{ hindrances: object[] }>(...words, ...more) };
}

describe.skipIf(!existsSync('/proc/self/fd'))('migrate of a guest whose last migration was broken off', () => {
  it('first lets the guest go on that savkit has left standing still', async () => {
    const { fake, path, again } = await left('migrating');
    const { result } = await again('--dry-run');
    expect(result.hindrances).toContainEqual(expect.objectContaining({ code: 'unsettled', isFatal: false }));
    expect([fake.asked.includes('cont'), (await readRecord(path)).decision]).toEqual([false, 'migrating']);
    // Nobody listens at that address.
    expect((await again()).error?.code).toBe('ECONNREFUSED');
    expect([fake.asked.includes('cont'), (await readRecord(path)).decision]).toEqual([true, 'kept']);
  });

  it('leaves the guest alone where only the record of the target tells which side has the guest', async () => {
    const { fake, path, again } = await left('handed-over');
    const { error } = await again();
    expect([error?.code, error?.message]).toEqual(['hindered', expect.stringContaining(`--resolve ${path}`)]);
    expect(fake.asked).not.toContain('cont');
    expect((await readRecord(path)).decision).toBe('handed-over');
  });
});
