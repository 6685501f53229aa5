import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SavkitError } from '../../formats/errors.ts';
import type { DiskWay } from '../machine/machine.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { FakeQmp } from '../testing/fake-qmp.ts';
import { LinkError } from '../wire/link-error.ts';
import { DiskExports } from './disk-exports.ts';
import { DiskMirror } from './disk-mirror.ts';
import type { GuestDisk } from './guest-disks.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-mirror-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DISKS: GuestDisk[] = ['disk0', '#block7'].map((nodeNow) => ({
  ...{
    node: nodeNow.replace(/^#.*/, ''),
    nodeNow,
    device: nodeNow,
    bytes: 1000,
    file: '/x',
    isReadOnly: false,
    isDirect: false,
  },
}));

/**
 * A fake QEMU that connects to the other side as a real one does. Its copies of disks are equal after `looks`
 * questions.
 */
async function copying({ looks = 2, fails = '', left = [] as string[], endMs = 10_000 } = {}) {
  const jobs = new Map<string, number>(left.map((job) => [job, 0]));
  const nodes = new Set(left.map((job) => job.replace('mirror', 'away')));
  const sent: Record<string, unknown>[] = [];
  let socketPath = '';
  const giveUp = (device: string) => {
    if (jobs.delete(device)) fake.event('BLOCK_JOB_COMPLETED', { device, error: 'Input/output error' });
  };
  const fake: FakeQmp = await FakeQmp.open(async (command, args) => {
    sent.push({ command, ...args });
    if (command === 'blockdev-add') {
      if (fails === 'as it is opened') throw new Error('Unexpected end-of-file before all data were read');
      if (nodes.has(String(args['node-name']))) throw new Error('Duplicate nodes');
      nodes.add(String(args['node-name']));
      socketPath = String((args.server as { path: string }).path);
      connect(socketPath)
        .on('error', () => {})
        .on('close', () => fails === 'silently' && giveUp(String(args['node-name']).replace('away', 'mirror')));
    } else if (command === 'block-job-cancel' && fails === 'silently' && !args.force) {
      // QEMU waits for the other side.
    } else if (command === 'blockdev-del') nodes.delete(String(args['node-name']));
    else if (command === 'blockdev-mirror') jobs.set(String(args['job-id']), 0);
    else if (command === 'block-job-cancel') {
      jobs.delete(String(args.device));
      fake.event('BLOCK_JOB_COMPLETED', {
        device: args.device,
        error: fails === 'at the end' || left.length > 0 ? 'disk full' : undefined,
      });
    } else if (command === 'query-block-jobs') {
      for (const [job, seen] of jobs) jobs.set(job, seen + 1);
      if (fails === 'midway' && [...jobs.values()].includes(2)) {
        jobs.delete('savkit-mirror1');
        fake.event('BLOCK_JOB_COMPLETED', { device: 'savkit-mirror1', error: 'no room' });
      }
      return [{ device: 'of others', len: 5, offset: 1, status: 'running' }].concat(
        [...jobs].map(([device, seen]) => ({ device, len: 10, offset: seen, status: 'running', ready: seen > looks })),
      );
    }
    return {};
  });
  const carried: [number, Socket][] = [];
  const progress: number[][] = [];
  const link: { failure: SavkitError | undefined } = { failure: undefined };
  const way: DiskWay = {
    carry: (disk, stream) => carried.push([disk, stream as Socket]),
    onProgress: (...figures) => progress.push(figures),
    maxRate: () => 2e6,
    failure: () => link.failure,
  };
  const mirror = new DiskMirror(await QmpClient.connect(fake.path), DISKS, way, endMs);
  const words = () => sent.map(({ command, device }) => `${command} ${device ?? ''}`.trim());
  return { fake, mirror, sent, words, carried, progress, link, folder: () => dirname(socketPath) };
}

describe('DiskMirror', () => {
  it('copies until all is equal, ends that when told, and leaves nothing', async () => {
    const { fake, mirror, sent, words, carried, progress, folder: sockets } = await copying();
    await mirror.start();
    expect(sent).toContainEqual({
      ...{ command: 'blockdev-mirror', 'job-id': 'savkit-mirror1', device: '#block7', target: 'savkit-away1' },
      ...{ sync: 'full', 'copy-mode': 'write-blocking', speed: 1e6 },
    });
    expect(carried.map(([disk]) => disk)).toEqual([0, 1]);
    expect(progress.at(-1)).toEqual([6, 20]);
    await mirror.finish();
    expect(words().filter((word) => /cancel|-del/.test(word))).toEqual([
      'blockdev-del',
      'blockdev-del',
      'block-job-cancel savkit-mirror0',
      'block-job-cancel savkit-mirror1',
      'blockdev-del',
      'blockdev-del',
    ]);
    expect(existsSync(sockets())).toBe(false);
    fake.close();
  });

  it('first removes copies that a killed savkit has left in QEMU', async () => {
    const { fake, mirror, sent } = await copying({ left: ['savkit-mirror0', 'savkit-mirror1'] });
    await mirror.start();
    expect(sent).toContainEqual({ command: 'block-job-cancel', device: 'savkit-mirror0', force: true });
    expect(sent.filter(({ command }) => command === 'blockdev-mirror')).toHaveLength(2);
    await mirror.abandon();
    fake.close();
  });

  it.each([
    ['midway', 'no room'],
    ['at the end', 'disk full'],
  ])('says why QEMU has given a copy up %s', async (fails, words) => {
    const { fake, mirror } = await copying({ fails });
    const copied = mirror.start().then(() => mirror.finish());
    await expect(copied).rejects.toMatchObject({ code: 'disk-failed', message: expect.stringContaining(words) });
    await mirror.abandon();
    fake.close();
  });
});

describe('DiskMirror over a link that fails', () => {
  it('has QEMU give the copies up where the link has fallen silent, and calls the link the reason', async () => {
    const { fake, mirror, carried } = await copying({ fails: 'silently', endMs: 50 });
    await mirror.start();
    // Here `stop` does not wait, in which a real QEMU would notice the silence: the limit ends the wait.
    mirror.limitEnd();
    await expect(mirror.finish()).rejects.toMatchObject({
      code: 'peer-silent',
      message: expect.stringContaining('0.1 s'),
    });
    expect(carried.every(([, socket]) => socket.destroyed)).toBe(true);
    await mirror.abandon();
    fake.close();
  });

  it('calls a link that breaks the reason, not a disk that QEMU cannot open', async () => {
    const { fake, mirror, link } = await copying({ fails: 'as it is opened' });
    link.failure = LinkError.lost();
    await expect(mirror.start()).rejects.toBe(link.failure);
    await mirror.abandon();
    fake.close();
  });

  it('calls a link that breaks the reason, not what QEMU makes of it', async () => {
    const { fake, mirror, carried, link } = await copying({ fails: 'silently' });
    await mirror.start();
    const ended = mirror.finish();
    ended.catch(() => {});
    link.failure = LinkError.lost();
    for (const [, socket] of carried) socket.destroy();
    await expect(ended).rejects.toBe(link.failure);
    await mirror.abandon();
    fake.close();
  });
});

describe('DiskExports', () => {
  it('opens what is asked for, once, and closes it before QEMU uses the images', async () => {
    const server = createServer().listen(join(folder, 'nbd'));
    await once(server, 'listening');
    const fake = await FakeQmp.open();
    const qmp = await QmpClient.connect(fake.path);
    const exports = new DiskExports(async () => qmp, DISKS, folder);
    await exports.close();
    for (const disk of [1, 1]) (await exports.connect(disk)).destroy();
    await exports.close();
    const asked = ['nbd-server-start', 'block-export-add', 'block-export-del', 'nbd-server-stop'];
    expect(fake.asked.filter((word) => asked.includes(word))).toEqual(asked);
    server.close();
    fake.close();
  });

  it('opens disks one after the other, also where they are asked for at once', async () => {
    const server = createServer().listen(join(folder, 'nbd'));
    await once(server, 'listening');
    const fake = await FakeQmp.open();
    const qmp = await QmpClient.connect(fake.path);
    const exports = new DiskExports(async () => qmp, DISKS, folder);
    for (const socket of await Promise.all([0, 1, 0].map((disk) => exports.connect(disk)))) socket.destroy();
    const asked = ['nbd-server-start', 'block-export-add', 'block-export-add'];
    expect(fake.asked.filter((word) => asked.includes(word))).toEqual(asked);
    server.close();
    fake.close();
  });

  it('asks once more for a disk that QEMU has not opened, over another connection if the first one ended', async () => {
    const server = createServer().listen(join(folder, 'nbd'));
    await once(server, 'listening');
    let isLocked = true;
    const fake = await FakeQmp.open((command) => {
      if (command === 'block-export-add' && isLocked) throw new Error('the image is in use');
      return {};
    });
    let qmp = await QmpClient.connect(fake.path);
    const exports = new DiskExports(async () => qmp, DISKS, folder);
    await expect(exports.connect(0)).rejects.toThrow('the image is in use');
    isLocked = false;
    fake.hangUp();
    await qmp.closed;
    qmp = await QmpClient.connect(fake.path);
    (await exports.connect(0)).destroy();
    await exports.close();
    const asked = ['nbd-server-start', 'block-export-add', 'block-export-add', 'block-export-del', 'nbd-server-stop'];
    expect(fake.asked.filter((word) => asked.includes(word))).toEqual(asked);
    server.close();
    fake.close();
  });
});
