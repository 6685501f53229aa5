import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Disk } from '../../formats/world/disk.ts';
import { sleep } from '../../formats/world/waiting.ts';
import { enterWorld, world } from '../../formats/world/world.ts';
import { DecisionFile, type DecisionRecord, readRecord, recordPath, writeRecord } from './decision-record.ts';
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

const MIGRATION = 'ab'.repeat(16);
const [sourcePath, targetPath] = (['source', 'target'] as const).map((side) => recordPath(folder, MIGRATION, side));

/** A record of a process that has ended. */
const ofEnded = (side: 'source' | 'target', decision: DecisionRecord['decision']): DecisionRecord => ({
  ...{ format: 'savkit-migration/1', side, migration: MIGRATION, decision, machine: 'vm', peer: '', attempt: 1, at: 1 },
  ...{ pid: 2 ** 30, place: world.process.place() },
});

describe('a decision that is taken back, as the folder could not be synced,', () => {
  afterEach(() => rmSync(targetPath, { force: true }));

  it('is not taken for one by an operator on this host', async () => {
    const log = new DecisionFile(folder, { side: 'source', migration: MIGRATION, machine: 'vm', peer: '' });
    await log.write('migrating', 1);
    await writeRecord(targetPath, ofEnded('target', 'ready'));
    const asked = await whileTakenBack(
      () => log.write('handed-over', 1),
      () => resolveRecordFiles({ path: sourcePath, peerPath: targetPath, peerEnded: false }),
    );
    expect(asked.resolution).toMatchObject({ survivor: 'source', write: [], notYet: expect.any(String) });
    expect((await readRecord(sourcePath)).decision).toBe('migrating');
  });

  it('is not taken for one by an operator who has given it as the record of the other side', async () => {
    await writeRecord(sourcePath, ofEnded('source', 'migrating'));
    const log = new DecisionFile(folder, { side: 'target', migration: MIGRATION, machine: 'vm', peer: '' });
    await log.write('ready', 1);
    const asked = await whileTakenBack(
      () => log.write('started', 1),
      () => resolveRecordFiles({ path: sourcePath, peerPath: targetPath, peerEnded: false }),
    );
    expect(asked.resolution.survivor).toBe('source');
  });

  it('is not taken for one by a process that waits for the word of an operator', async () => {
    const log = new DecisionFile(folder, { side: 'source', migration: MIGRATION, machine: 'vm', peer: '' });
    await log.write('handed-over', 1);
    await writeRecord(targetPath, ofEnded('target', 'gave-up'));
    const resolve = () => resolveRecordFiles({ path: sourcePath, peerPath: targetPath, peerEnded: false });
    expect(await whileTakenBack(resolve, () => log.read())).toBe('handed-over');
  });
});

describe('a decision that a full disk neither keeps nor takes back', () => {
  const log = new DecisionFile(folder, { side: 'source', migration: 'cd'.repeat(16), machine: 'vm', peer: '' });

  it('waits until the disk keeps it', async () => {
    await log.write('migrating', 1);
    const tries = await withFullDisk({ syncs: 3, writes: 3 }, () => log.write('handed-over', 1));
    expect(tries).toEqual({ syncs: 4, writes: 3 });
    expect((await readRecord(log.path)).decision).toBe('handed-over');
  });

  it('waits until the disk takes it back', async () => {
    await log.write('migrating', 2);
    const tries = await withFullDisk({ syncs: 9, writes: 2 }, () =>
      expect(log.write('handed-over', 2)).rejects.toMatchObject({ code: 'ENOSPC' }),
    );
    expect(tries).toEqual({ syncs: 3, writes: 3 });
    expect((await readRecord(log.path)).decision).toBe('migrating');
  });
});

/**
 * Runs work on a disk that is full once a record has got its new name.
 * @param failing numbers of syncs of its folder, and of further temporary files, that fail
 * @returns number of syncs and temporary files that were tried
 */
async function withFullDisk(
  failing: { syncs: number; writes: number },
  work: () => Promise<unknown>,
): Promise<{ syncs: number; writes: number }> {
  const tries = { syncs: 0, writes: 0 };
  let isNamed = false;
  const full = () => Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  const before = enterWorld({
    ...world,
    disk: {
      ...world.disk,
      async rename(from, to) {
        await before.disk.rename(from, to);
        isNamed = true;
      },
      async open(path, flags, mode) {
        if (isNamed && path === folder && ++tries.syncs <= failing.syncs) throw full();
        if (isNamed && flags === 'wx' && ++tries.writes <= failing.writes) throw full();
        return before.disk.open(path, flags, mode);
      },
    },
  });
  try {
    await work();
    return tries;
  } finally {
    enterWorld(before);
  }
}

/**
 * Calls `look` while `write` has given a record its new name, and then has the sync of its folder fail.
 * @returns what `look` has seen
 */
async function whileTakenBack<T>(write: () => Promise<unknown>, look: () => Promise<T>): Promise<T> {
  let [isNamed, hasFailed] = [false, false];
  let looking: Promise<T> | undefined;
  const disk: Disk = {
    ...world.disk,
    async rename(from, to) {
      await before.disk.rename(from, to);
      isNamed = true;
    },
    async open(path, flags, mode) {
      const file = await before.disk.open(path, flags, mode);
      if (path !== folder || !isNamed || hasFailed) return file;
      hasFailed = true;
      return Object.assign(Object.create(file), { sync, close: () => file.close() });
    },
  };
  async function sync() {
    looking = look();
    // Without a lock `look` would read the record that is there now.
    await sleep(100);
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  }
  const before = enterWorld({ ...world, disk });
  try {
    await expect(write()).rejects.toMatchObject({ code: 'EIO' });
    expect(hasFailed).toBe(true);
    return await (looking as Promise<T>);
  } finally {
    enterWorld(before);
  }
}
