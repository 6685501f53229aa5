import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { withQuickTime } from '../../formats/testing/quick-time.ts';
import { thisProcess } from '../../formats/world/place.ts';
import { world } from '../../formats/world/world.ts';
import { type DecisionRecord, readRecord, recordPath, writeRecord } from './decision-record.ts';
import { recallTarget } from './record-folder.ts';
import { withRecordLock } from './record-lock.ts';
import { resolve } from './resolve.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-resolve-'));
afterAll(() => rmSync(folder, { recursive: true }));
const MIGRATION = 'ab'.repeat(16);
const DEAD = 2 ** 30;

describe('resolve()', () => {
  // A copy with such a decision may be older than the record: the target may have started the machine since.
  it.each(['receiving', 'ready'] as const)(
    'does not go by a copy that says %s of a target that may live',
    (decision) => {
      const target = { decision, alive: 'unknown' as const, attempt: 1 };
      expect(resolve({ decision: 'handed-over', alive: true, attempt: 1 }, target).survivor).toBe('undecided');
      expect(resolve({ decision: 'unknown', alive: 'unknown' }, target).survivor).toBe('undecided');
    },
  );

  it.each(['receiving', 'ready', 'gave-up'] as const)(
    'does not go by the decision of a target on an earlier connection: %s',
    (decision) => {
      const source = { decision: 'handed-over' as const, alive: false, attempt: 2 };
      expect(resolve(source, { decision, alive: false, attempt: 1 }).survivor).toBe('undecided');
      expect(resolve(source, { decision, alive: false, attempt: 2 }).survivor).toBe('source');
    },
  );

  it.each([true, 'unknown'] as const)('writes nothing for a source that has not decided, alive: %s', (alive) => {
    const { write, notYet } = resolve({ decision: 'migrating', alive }, { decision: 'ready', alive: true });
    expect([write, notYet]).toEqual([[], expect.any(String)]);
  });
});

describe('recallTarget()', () => {
  const here = { pid: DEAD, place: world.process.place(), attempt: 3, at: 1, machine: 'vm', peer: '' };
  const head = { format: 'savkit-migration/1', side: 'target', migration: MIGRATION } as const;
  const path = recordPath(folder, MIGRATION, 'target');
  const recall = async (record: Partial<DecisionRecord>) => {
    await writeRecord(path, { ...head, ...here, decision: 'ready', ...record });
    return [await recallTarget(folder, MIGRATION), (await readRecord(path)).decision, (await readRecord(path)).attempt];
  };

  it('gives up a machine that a process of this host has not started before its end', async () => {
    expect(await recall({})).toEqual(['gave-up', 'gave-up', 3]);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it.skipIf(world.process.begunAt() === '')(
    'gives up a machine of an ended process whose number another one has now',
    async () => {
      expect(await recall({ pid: process.pid, begunAt: '1' })).toEqual(['gave-up', 'gave-up', 3]);
    },
  );

  it('leaves alone a record of a living process, of a started machine, or of another host', async () => {
    expect(await recall({ pid: process.pid })).toEqual(['ready', 'ready', 3]);
    expect(await recall({ decision: 'started' })).toEqual(['started', 'started', 3]);
    expect(await recall({ place: 'other start pid:[1]' })).toEqual(['ready', 'ready', 3]);
  });
});

describe('withRecordLock()', () => {
  const path = join(folder, 'locked');
  const lockBy = (holder: object) => writeFileSync(`${path}.lock`, JSON.stringify(holder));
  const place = world.process.place();

  it('lets one after the other in, and ends a lock that was left behind', async () => {
    lockBy({ pid: 2 ** 30, place });
    let inside = 0;
    const seen = await Promise.all(
      [1, 2, 3].map((n) =>
        withRecordLock(path, async () => {
          inside++;
          await new Promise(setImmediate);
          return [n, inside--];
        }),
      ),
    );
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it.each<[string, string]>([
    ['of another host', JSON.stringify({ pid: process.pid, place: 'other start pid:[1]' })],
    ['without a name', ''],
    ['with a name that is none', '[]'],
  ])('ends a lock %s that did not change while it looked on, whatever its time', async (_, text) => {
    writeFileSync(`${path}.lock`, text);
    utimesSync(`${path}.lock`, 1, 1);
    expect(await withQuickTime(() => withRecordLock(path, async () => 'done'))).toBe('done');
  });

  it.skipIf(process.platform === 'win32')('reads no pipe in place of a lock', async () => {
    execFileSync('mkfifo', [`${path}.lock`]);
    expect(await withQuickTime(() => withRecordLock(path, async () => 'done'))).toBe('done');
  });

  it('gives up where a lock that was left behind cannot be removed', async () => {
    mkdirSync(`${path}.lock`);
    const run = withQuickTime(() => withRecordLock(path, async () => 'done'));
    await expect(run).rejects.toMatchObject({ name: 'EnvironmentError' });
    rmdirSync(`${path}.lock`);
  });

  it('leaves the lock of a process that has taken it over meanwhile', async () => {
    const other = JSON.stringify({ pid: 1, place: 'other start pid:[1]', begunAt: '' });
    await withRecordLock(path, async () => writeFileSync(`${path}.lock`, other));
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe(other);
    rmSync(`${path}.lock`);
  });

  it('takes over at once a lock of its own that the disk did not remove', async () => {
    lockBy(thisProcess());
    expect(await withRecordLock(path, async () => 'done')).toBe('done');
  });

  it('leaves the lock of a process that lives and stands still', async () => {
    lockBy({ pid: process.ppid, place });
    const run = withQuickTime(() => withRecordLock(path, async () => 'done'));
    await expect(run).rejects.toMatchObject({ code: 'EBUSY' });
    expect(existsSync(`${path}.lock`)).toBe(true);
    rmSync(`${path}.lock`);
  });
});
