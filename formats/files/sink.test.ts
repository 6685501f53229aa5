import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EnvironmentError } from '../errors.ts';
import { world } from '../world/world.ts';
import { openFileSink, streamSink } from './sink.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'savkit-sink-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const bytes = (text: string) => Buffer.from(text);

const isRoot = process.geteuid?.() === 0;

describe('openFileSink()', () => {
  it.runIf(isRoot).each([
    ['refuses a link of another user in a folder for everybody', 0o1777, 1234, 'EACCES'],
    ['follows a link of another user in a folder for some', 0o755, 1234, undefined],
    ['follows a link of this user in a folder for everybody', 0o1777, 0, undefined],
  ])('%s', async (_, mode, uid, code) => {
    const [shared, target] = [join(folder, 'shared'), join(folder, 'target')];
    mkdirSync(shared);
    chmodSync(shared, mode);
    writeFileSync(target, 'old');
    const path = join(shared, 'out.sav');
    symlinkSync(target, path);
    lchownSync(path, uid, uid);
    const opened = await openFileSink(path, { force: true }).catch((error) => error);
    if (code !== undefined) expect(opened).toMatchObject({ name: 'EnvironmentError', code });
    else await opened.commit();
    expect(readFileSync(target, 'utf8')).toBe(code === undefined ? '' : 'old');
  });

  it('shows a file only when it is complete, to its owner only', async () => {
    const path = join(folder, 'out.sav');
    const sink = await openFileSink(path);
    await sink.write(bytes('hello '));
    await sink.write(bytes('world'));
    await sink.writeAt(bytes('J'), 0);
    expect(existsSync(path)).toBe(false);
    await sink.commit();
    expect(readFileSync(path, 'utf8')).toBe('Jello world');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['out.sav']);
    await sink.abort();
    expect(readdirSync(folder)).toEqual(['out.sav']);
  });

  it('reads back what was written', async () => {
    const sink = await openFileSink(join(folder, 'out.sav'));
    await sink.write(bytes('0123456789'));
    const source = await sink.readBack();
    const target = new Uint8Array(4);
    await source.read(target, 3);
    expect(Buffer.from(target).toString()).toBe('3456');
    await source.close();
    await sink.abort();
  });

  it.each(['commit', 'abort'] as const)('writes to no other file that has got its number after %s', async (end) => {
    const sink = await openFileSink(join(folder, 'out.sav'));
    await sink.write(bytes('all of it'));
    const source = await sink.readBack();
    await sink[end]();
    const other = openSync(join(folder, 'other'), 'wx+');
    expect(other).toBe(sink.fd);
    writeSync(other, 'mine');
    const closed = { code: 'EBADF', message: expect.stringContaining('it is closed') };
    await expect(sink.write(bytes('x'))).rejects.toMatchObject(closed);
    await expect(sink.writeAt(bytes('x'), 0)).rejects.toMatchObject(closed);
    await expect(sink.truncate(0)).rejects.toMatchObject(closed);
    await expect(sink.readBack()).rejects.toMatchObject(closed);
    await expect(source.read(new Uint8Array(4), 0)).rejects.toMatchObject(closed);
    expect(readFileSync(join(folder, 'other'), 'utf8')).toBe('mine');
    closeSync(other);
  });

  it('leaves nothing when aborted', async () => {
    const sink = await openFileSink(join(folder, 'out.sav'));
    await sink.write(bytes('half'));
    await sink.abort();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses an existing file, also one that appears meanwhile', async () => {
    const path = join(folder, 'out.sav');
    writeFileSync(path, 'old');
    await expect(openFileSink(path)).rejects.toThrow(EnvironmentError);
    rmSync(path);
    const sink = await openFileSink(path);
    await sink.write(bytes('new'));
    writeFileSync(path, 'old');
    await expect(sink.commit()).rejects.toMatchObject({ code: 'EEXIST' });
    await sink.abort();
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['out.sav']);
  });

  it('replaces an existing file when told to, and keeps it when aborted', async () => {
    const path = join(folder, 'out.sav');
    writeFileSync(path, 'old');
    const aborted = await openFileSink(path, { force: true });
    await aborted.write(bytes('new'));
    await aborted.abort();
    expect(readFileSync(path, 'utf8')).toBe('old');
    const sink = await openFileSink(path, { force: true });
    await sink.write(bytes('new'));
    expect(readFileSync(path, 'utf8')).toBe('old');
    await sink.commit();
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('refuses a place that is no file, with any option, before anything is written', async () => {
    const made = join(folder, 'folder');
    mkdirSync(made);
    for (const path of [made, join(folder, 'none', '/'), '', '.']) {
      await expect(openFileSink(path, { force: true }), path).rejects.toMatchObject({
        code: 'EISDIR',
        message: expect.stringContaining('it is a folder'),
      });
    }
    await expect(openFileSink(devNull, { force: true })).rejects.toThrow('it is no regular file');
    expect(readdirSync(folder)).toEqual(['folder']);
  });

  it('says why it cannot write', async () => {
    await expect(openFileSink(join(folder, 'no', 'out.sav'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('removes what killed processes have left in its folder, and nothing that may be in use', async () => {
    const { pid: dead } = spawnSync(process.execPath, ['-e', '']);
    const [host, start, numbers] = world.process.place().split(' ');
    const part = (output: string, place: string[], pid: number) =>
      `.${output}.savkit_${place.join('_')}_${pid}_00aa11bb22cc.part`;
    const here = [host, start, numbers];
    const left = [
      part('out.sav', here, dead),
      part('other.sav', here, dead),
      // A part of the same output from before the host started again: no process of that time runs.
      part('out.sav', [host, 'before', numbers], process.pid),
    ];
    const others = [
      part('out.sav', here, process.pid),
      part('out.sav', ['elsewhere', start, numbers], dead),
      part('out.sav', [host, start, '1'], dead),
      part('other.sav', [host, 'before', numbers], dead),
      part('out.sav', here, dead).slice(1).replace('savkit', 'x'),
      'out.part',
    ];
    for (const name of [...left, ...others]) writeFileSync(join(folder, name), '');
    const sink = await openFileSink(join(folder, 'out.sav'));
    await sink.commit();
    expect(readdirSync(folder).sort()).toEqual([...others, 'out.sav'].sort());
  });

  it('takes names as long as the file system does', async () => {
    const name = 'ü'.repeat(127);
    const sink = await openFileSink(join(folder, name));
    await sink.commit();
    expect(readdirSync(folder)).toEqual([name]);
  });
});

describe('streamSink()', () => {
  it('waits while the stream is full, and hands errors on', async () => {
    const stream = new PassThrough({ highWaterMark: 4 });
    const sink = streamSink(stream, 'pipe');
    let done = false;
    const write = sink
      .write(bytes('0123456789'))
      .then(() => sink.write(bytes('x')))
      .then(() => {
        done = true;
      });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(done).toBe(false);
    stream.resume();
    await write;
    stream.on('error', () => {});
    stream.destroy(new Error('gone'));
    await expect(sink.write(bytes('y'))).rejects.toThrow(EnvironmentError);
  });
});
