import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DecisionRecord } from '../../hand-over/decision-record.ts';
import type { FakeGuestOptions } from '../../testing/fake-qemu.ts';
import { GONE, leftGuests, recordOfKilled } from '../../testing/left-guest.ts';
import { settleGuest } from './settle-guest.ts';

const { folder, ram, start } = leftGuests('settle');
const qemu = (options: FakeGuestOptions = { status: 'paused' }) => start(options);
const others = async () => [];

function recordOf(qmp: string, changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return recordOfKilled({ qmp, ram: [ram] }, changes);
}

describe.skipIf(!existsSync('/proc/self/fd'))('settleGuest()', () => {
  it.each([
    ['lets a guest go on that stands still', { status: 'postmigrate' }, {}, 'let-run', ['cont']],
    ['leaves one paused that was so before', { status: 'paused' }, { wasPaused: true }, 'as-it-was', []],
    ['leaves one as it is that was not stopped yet', { status: 'paused' }, { wasPaused: undefined }, 'as-it-was', []],
    ['leaves one alone that runs', { status: 'running' }, {}, 'as-it-was', []],
    ['leaves one that has moved on', { status: 'postmigrate' }, { side: 'target' }, 'as-it-was', []],
    ['has a target announce itself', { status: 'paused' }, { side: 'target' }, 'let-run', ['cont', 'announce-self']],
  ] as const)('%s', async (_name, options, changes, settlement, asked) => {
    const fake = await qemu(options);
    const settled = await settleGuest(recordOf(fake.path, changes), true, { isSurvivor: true, others });
    expect(settled).toMatchObject({ settlement, pid: process.pid, qmp: fake.path, message: '' });
    expect(fake.asked.filter((word) => ['cont', 'quit', 'announce-self', 'stop'].includes(word))).toEqual(asked);
  });

  it('ends a save in which savkit was killed, also of a guest that was paused, but no migration of its user', async () => {
    for (const [status, ends] of [
      ['finish-migrate', true],
      ['paused', false],
    ] as const) {
      const fake = await qemu({ status });
      const settled = await settleGuest(recordOf(fake.path, { wasPaused: true }), true, { isSurvivor: true, others });
      expect(settled).toMatchObject({ settlement: 'as-it-was' });
      expect(fake.asked.includes('migrate_cancel'), status).toBe(ends);
      expect(fake.asked).not.toContain('cont');
    }
  });

  it.each([
    [{ status: 'postmigrate', bandwidth: 2 ** 40 }, true],
    [{ status: 'running', bandwidth: 2 ** 40 }, true],
    // Its owner has set the bandwidth since, or savkit never has.
    [{ status: 'running', bandwidth: 12_345_678 }, false],
    [{ status: 'postmigrate', bandwidth: 12_345_678 }, false],
  ])('gives QEMU its settings for migrations back where it still has those of savkit: %j', async (options, isOurs) => {
    const fake = await qemu(options);
    const settings = { capabilities: [{ capability: 'xbzrle', state: true }], bandwidth: 7, downtime: 8 };
    const guest = { pid: process.pid, qmp: fake.path, ram: [], settings };
    expect(await settleGuest(recordOf(fake.path, { guest }), true, { isSurvivor: true, others })).toMatchObject({
      message: '',
    });
    const set = fake.asked.filter((word) => word.startsWith('migrate-set'));
    expect(set).toEqual(isOurs ? ['migrate-set-capabilities', 'migrate-set-parameters'] : []);
  });

  it('tells of a QEMU that refuses its settings, and gives them back once it takes them', async () => {
    const options: FakeGuestOptions = {
      status: 'postmigrate',
      bandwidth: 2 ** 40,
      refuses: 'migrate-set-capabilities',
    };
    const fake = await qemu(options);
    const settings = { capabilities: [{ capability: 'xbzrle', state: true }], bandwidth: 7, downtime: 8 };
    const record = recordOf(fake.path, { guest: { pid: process.pid, qmp: fake.path, ram: [], settings } });
    expect(await settleGuest(record, true, { isSurvivor: true, others })).toMatchObject({
      settlement: 'settings-left',
      message: expect.stringContaining('it is blocked'),
    });
    expect(fake.asked).toContain('cont');
    options.refuses = undefined;
    expect(await settleGuest(record, true, { isSurvivor: true, others })).toMatchObject({
      settlement: 'as-it-was',
      message: '',
    });
    expect(fake.asked.filter((word) => word.startsWith('migrate-set'))).toEqual([
      'migrate-set-capabilities',
      'migrate-set-capabilities',
      'migrate-set-parameters',
    ]);
  });

  it.each(['source', 'target'] as const)('ends the QEMU of a %s that does not have the guest', async (side) => {
    const fake = await qemu();
    expect(await settleGuest(recordOf(fake.path, { side }), true, { isSurvivor: false, others })).toMatchObject({
      settlement: 'quit',
    });
    expect(fake.asked).toContain('quit');
    // The memory file of a source stays for whoever has made it; that of a target, where no guest has arrived, is
    // emptied.
    expect(readFileSync(ram).length).toBe(side === 'source' ? 8192 : 0);
  });

  it('tells of a guest that runs though the other side has it, and leaves it', async () => {
    const fake = await qemu({ status: 'running' });
    expect(await settleGuest(recordOf(fake.path), true, { isSurvivor: false, others })).toMatchObject({
      settlement: 'runs-twice',
    });
    expect(fake.asked).not.toContain('quit');
  });

  it('touches no other QEMU that has got the socket, and tells of one that has ended, or does not answer', async () => {
    const fake = await qemu();
    const guest = { pid: process.ppid, qmp: fake.path, ram: [] };
    expect(await settleGuest(recordOf(fake.path, { guest }), true, { isSurvivor: true, others })).toMatchObject({
      settlement: 'another',
    });
    const none = join(folder, 'none');
    const ended = { pid: GONE, qmp: none, ram: [] };
    expect(await settleGuest(recordOf(none, { guest: ended }), true, { isSurvivor: true, others })).toMatchObject({
      settlement: 'ended',
    });
    const unknown = { pid: 0, qmp: none, ram: [] };
    expect(await settleGuest(recordOf(none, { guest: unknown }), true, { isSurvivor: true, others })).toMatchObject({
      settlement: 'unreachable',
      message: expect.stringContaining(none),
    });
    expect(fake.asked).toEqual([]);
  });

  it.each([
    ['was handed over, and is not settled', { decision: 'handed-over' }, true],
    ['has handed it over since', { decision: 'done', at: 2 }, true],
    ['had handed it over before', { decision: 'done', at: 0 }, false],
    ['has a process that is at it', { decision: 'migrating', pid: process.pid }, true],
    ['has ended here', { decision: 'kept', pid: process.pid }, false],
    ['had a process that is gone', { decision: 'migrating' }, false],
    ['is of another guest', { decision: 'handed-over', guest: { pid: GONE, qmp: '/x', ram: [] } }, false],
    ['is this one', { decision: 'handed-over', migration: '00'.repeat(16) }, false],
  ] as const)('leaves a guest to another migration of it that %s', async (_name, changes, isOpen) => {
    const fake = await qemu({ status: 'postmigrate' });
    // An old record of a migration that came to nothing: the guest stands still for the other migration.
    const old = recordOf(fake.path, { decision: 'kept' });
    const guest = { pid: process.pid, qmp: fake.path, ram: [] };
    const record = recordOf(fake.path, { migration: '11'.repeat(16), guest, ...changes } as Partial<DecisionRecord>);
    const settled = await settleGuest(old, true, {
      isSurvivor: true,
      others: async () => [{ record, path: '/records/other' }],
    });
    expect(settled).toMatchObject(
      isOpen ? { settlement: 'moves-on', message: 'its record is /records/other' } : { settlement: 'let-run' },
    );
    expect(fake.asked.includes('cont')).toBe(!isOpen);
  });

  it('leaves a guest to a migration that has handed it over while this one waited for QEMU', async () => {
    const fake = await qemu({ status: 'postmigrate' });
    const guest = { pid: process.pid, qmp: fake.path, ram: [] };
    const record = recordOf(fake.path, { migration: '11'.repeat(16), guest, decision: 'handed-over' });
    let looks = 0;
    const later = async () => (looks++ === 0 ? [] : [{ record, path: '/records/other' }]);
    const options = { isSurvivor: true, others: later };
    const settled = await settleGuest(recordOf(fake.path, { decision: 'kept' }), true, options);
    expect(settled).toMatchObject({ settlement: 'moves-on', message: 'its record is /records/other' });
    expect(fake.asked).not.toContain('cont');
  });

  it.each([
    ['its process may still be at it', { pid: process.pid }],
    ['it is of another host', { place: 'elsewhere 1 2' }],
    ['the machine was one of savkit', { guest: undefined }],
  ])('does nothing where %s', async (_name, changes) => {
    const fake = await qemu();
    expect(await settleGuest(recordOf(fake.path, changes), true, { isSurvivor: true, others })).toBeUndefined();
    expect(fake.asked).toEqual([]);
  });
});
