import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { EnvironmentError } from '../errors.ts';
import { type Disk, REAL_DISK } from '../world/disk.ts';
import { enterWorld, REAL_WORLD } from '../world/world.ts';
import { openScratchFile } from './scratch-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-scratch-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function onDisk(faults: Partial<Disk>): void {
  enterWorld({ ...REAL_WORLD, disk: { ...REAL_DISK, ...faults } });
}

describe('a scratch file', () => {
  afterEach(() => void enterWorld(REAL_WORLD));

  it.each([
    ['', {}],
    [' of a system without files that have no name', { openUnnamedSync: () => undefined }],
  ])('holds what is written to it, and is in no folder%s', (_, faults) => {
    onDisk(faults);
    const scratch = openScratchFile(folder);
    const read = Buffer.alloc(4);
    REAL_DISK.writeSync(scratch.descriptor, Buffer.from('some'), 0, 4, 10);
    expect(REAL_DISK.readSync(scratch.descriptor, read, 0, 4, 10)).toBe(4);
    expect(read.toString()).toBe('some');
    expect(readdirSync(folder)).toEqual([]);
    scratch.close();
    expect(() => REAL_DISK.fstatSync(scratch.descriptor)).toThrow('EBADF');
  });

  it('never has a name where the system knows files without names: a process killed at any moment leaves none', () => {
    const named: string[] = [];
    const openSync: Disk['openSync'] = (path, flags, mode) => {
      named.push(path);
      return REAL_DISK.openSync(path, flags, mode);
    };
    onDisk({ openSync });
    const unnamed = REAL_DISK.openUnnamedSync(folder);
    if (unnamed !== undefined) REAL_DISK.closeSync(unnamed);
    openScratchFile(folder).close();
    expect(named.length).toBe(unnamed === undefined ? 1 : 0);
  });

  it('that cannot be made is told of, with the place', () => {
    const place = join(folder, 'none');
    const open = () => openScratchFile(place);
    expect(open).toThrow(EnvironmentError);
    expect(open).toThrow(`Cannot make a temporary file in ${place}: no such file or directory`);
  });
});
