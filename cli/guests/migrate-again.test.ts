import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { world } from '../../formats/world/world.ts';
import { type Decision, readRecord, recordPath, writeRecord } from '../../migrations/hand-over/decision-record.ts';
import { fakeQemu } from '../../migrations/testing/fake-qemu.ts';
import type { FakeQmp } from '../../migrations/testing/fake-qmp.ts';
import { savkitFile } from '../testing/savkit-json.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-again-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fakes: FakeQmp[] = [];
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.close();
});

/** Number of a process that is not there: more than any system gives. */
const GONE = 2 ** 30;

/** A guest that stands still, as savkit was killed in its migration. */
async function left(decision: Decision) {
  const ram = join(folder, 'ram');
  writeFileSync(ram, Buffer.alloc(64 * 4096, 7));
  const fake = await fakeQemu(ram, { status: 'postmigrate' });
  fakes.push(fake);
  const path = recordPath(folder, '00'.repeat(16), 'source');
  await writeRecord(path, {
    ...{ format: 'savkit-migration/1', side: 'source', migration: '00'.repeat(16), decision },
    ...{ machine: 'vm', peer: 'there:7000', pid: GONE, place: world.process.place(), attempt: 1, at: 1 },
    ...{ guest: { pid: process.pid, qmp: fake.path, ram: [ram] }, wasPaused: false },
  });
  const words = ['migrate', `qmp:${fake.path}`, '--records', folder, '--to', '127.0.0.1:1', '--insecure'];
  return { fake, path, again: (...more: string[]) => savkitFile<{ hindrances: object[] }>(...words, ...more) };
}

describe.skipIf(!existsSync('/proc/self/fd'))('migrate of a guest whose last migration was broken off', () => {
  it('first lets the guest go on that savkit has left standing still', async () => {
    const { fake, path, again } = await left('migrating');
    const { result } = await again('--dry-run');
    expect(result.hindrances).toContainEqual(expect.objectContaining({ code: 'unsettled', isFatal: false }));
    expect([fake.asked.includes('cont'), (await readRecord(path)).decision]).toEqual([false, 'migrating']);
    // Nobody waits there.
    expect((await again()).error?.code).toBe('ECONNREFUSED');
    expect([fake.asked.includes('cont'), (await readRecord(path)).decision]).toEqual([true, 'kept']);
  });

  it('leaves it alone where only the record of the target tells who has it', async () => {
    const { fake, path, again } = await left('handed-over');
    const { error } = await again();
    expect([error?.code, error?.message]).toEqual(['hindered', expect.stringContaining(`--resolve ${path}`)]);
    expect(fake.asked).not.toContain('cont');
    expect((await readRecord(path)).decision).toBe('handed-over');
  });
});
