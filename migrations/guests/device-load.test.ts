import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { QemuProcess } from '../qmp/qemu-process.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { FakeQmp } from '../testing/fake-qmp.ts';
import { handedOut } from '../testing/handed-out.ts';
import { RamFiles } from './memory/ram-files.ts';
import { ReservedMemory } from './memory/reserved-memory.ts';
import { QemuTarget } from './qemu-target.ts';
import { asOfSharedMemory } from './strip-devices.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-load-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Stands in for a QEMU that waits for a guest: takes a stream, and keeps the stream and its settings. */
async function waitingQemu() {
  let taken = Buffer.alloc(0);
  const set: unknown[] = [];
  let status = 'none';
  const fake = await FakeQmp.open(async (command, args) => {
    if (command === 'migrate-set-capabilities') set.push(args.capabilities);
    if (command === 'migrate-set-parameters') set.push(args);
    if (command === 'query-status') return { status: 'paused' };
    if (command === 'query-migrate') return { status };
    if (command !== 'migrate-incoming') return {};
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      const pieces: Buffer[] = [];
      socket.on('data', (piece) => pieces.push(piece));
      socket.on('end', () => {
        taken = Buffer.concat(pieces);
        status = 'completed';
        socket.end();
        server.close();
      });
    });
    await new Promise<void>((resolve) => server.listen(String(args.uri).slice('unix:'.length), resolve));
    return {};
  });
  return { fake, set, taken: () => taken };
}

const FORMER = {
  capabilities: [
    { capability: 'xbzrle', state: true },
    { capability: 'x-ignore-shared', state: false },
  ],
  bandwidth: 7,
  downtime: 8,
};

const NO_GUARD = { keep: () => {}, release: () => {} };

describe('QemuTarget', () => {
  it.each([
    ['left out', true],
    ['handed out', false],
  ])(
    'has QEMU expect memory as it is in its stream, %s, and then gives it its settings back',
    async (_name, isLeftOut) => {
      const stream = await handedOut({ 'pc.rom': 1 });
      const devices = isLeftOut ? await asOfSharedMemory(stream) : stream;
      const { fake, set, taken } = await waitingQemu();
      const qmp = await QmpClient.connect(fake.path);
      const process = {} as unknown as QemuProcess;
      const ram = new RamFiles([]);
      const reserved = ReservedMemory.begin([]);
      const target = new QemuTarget({ hypervisor: 'qemu' } as QemuTarget['description'], {
        ...{ process, qmp, ram, reserved, guard: NO_GUARD, disks: [], folder, settings: FORMER },
      });
      await target.loadRest(devices);
      expect(taken().equals(devices)).toBe(true);
      target.close();
      await qmp.closed;
      expect(set).toEqual([
        [{ capability: 'x-ignore-shared', state: isLeftOut }],
        FORMER.capabilities,
        { 'max-bandwidth': FORMER.bandwidth, 'downtime-limit': FORMER.downtime },
      ]);
      fake.close();
    },
  );

  it('connects again where the connection has ended and QEMU lives, so that its guest runs', async () => {
    const { fake } = await waitingQemu();
    const qmp = await QmpClient.connect(fake.path);
    const process = { isOver: false, qmpPath: fake.path } as unknown as QemuProcess;
    const [ram, reserved] = [new RamFiles([]), ReservedMemory.begin([])];
    const target = new QemuTarget({ hypervisor: 'qemu' } as QemuTarget['description'], {
      ...{ process, qmp, ram, reserved, guard: NO_GUARD, disks: [], folder, settings: FORMER },
    });
    fake.hangUp();
    await qmp.closed;
    await target.start();
    expect(fake.asked).toContain('cont');
    fake.close();
  });
});
