import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { EnvironmentError } from '../../../formats/errors.ts';
import { type Disk, REAL_DISK } from '../../../formats/world/disk.ts';
import { enterWorld, REAL_WORLD } from '../../../formats/world/world.ts';
import { awaitConnection } from '../../qmp/one-connection.ts';
import { privateFolder, removeFolder, sharedFolder } from './private-folder.ts';

const parent = mkdtempSync(join(tmpdir(), 'savkit-private-'));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

function fails(): never {
  throw Object.assign(new Error('EIO: i/o error, do it'), { code: 'EIO' });
}

function onDisk(faults: Partial<Disk>): void {
  enterWorld({ ...REAL_WORLD, disk: { ...REAL_DISK, ...faults } });
}

function caught(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

describe('a private folder', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    enterWorld(REAL_WORLD);
    for (const name of readdirSync(parent)) rmSync(join(parent, name), { recursive: true });
  });

  it('that the disk does not make is told of, with the place', () => {
    onDisk({ mkdtempSync: fails });
    const error = caught(() => privateFolder(parent));
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error).toMatchObject({ code: 'EIO', message: expect.stringContaining(`folder in ${parent}: `) });
  });

  it('that the disk does not remove stays, and is no failure of the finished work', () => {
    const folder = privateFolder(parent);
    onDisk({ removeSync: fails });
    removeFolder(folder);
    expect(existsSync(folder)).toBe(true);
  });

  it('into which something is put as it is removed is removed nevertheless', () => {
    const folder = privateFolder(parent);
    writeFileSync(join(folder, 'late'), '');
    let tries = 0;
    onDisk({ removeSync: (path) => (tries++ === 0 ? fails() : REAL_DISK.removeSync(path)) });
    removeFolder(folder);
    expect([existsSync(folder), tries]).toEqual([false, 2]);
  });

  it('that cannot be shared with another user is told of, and is removed', () => {
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    const made: string[] = [];
    const mkdtempSync = () => {
      made.push(REAL_DISK.mkdtempSync(join(parent, 'shared-')));
      return made[made.length - 1];
    };
    onDisk({ mkdtempSync, chmodSync: fails });
    const surroundings = { root: '/', uid: 12345 };
    expect(caught(() => sharedFolder(surroundings))).toBeInstanceOf(EnvironmentError);
    expect(made.map((path) => existsSync(path))).toEqual([false]);
    onDisk({ mkdtempSync, lchownSync: fails });
    const { give } = sharedFolder(surroundings);
    expect(caught(() => give(join(parent, 'out')))).toBeInstanceOf(EnvironmentError);
  });

  it('in which no socket can be made is told of', async () => {
    const path = join(parent, 'none', 'out');
    const error = await awaitConnection(path).catch((why) => why);
    expect(error).toBeInstanceOf(EnvironmentError);
    expect(error.message).toContain(`Cannot listen at ${path}`);
  });
});
