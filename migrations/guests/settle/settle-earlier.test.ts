import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type DecisionRecord, readRecord, recordPath, writeRecord } from '../../hand-over/decision-record.ts';
import type { FakeGuestOptions } from '../../testing/fake-qemu.ts';
import { GONE, leftGuests, recordOfKilled } from '../../testing/left-guest.ts';
import { settleEarlier } from './settle-earlier.ts';

const { folder, ram, start } = leftGuests('earlier');
const SETTINGS = { capabilities: [{ capability: 'xbzrle', state: true }], bandwidth: 7, downtime: 8 };

/** A guest as a killed savkit has left it, and the record on disk. */
async function left(changes: Partial<DecisionRecord> = {}, options: FakeGuestOptions = {}) {
  const fake = await start({ status: 'postmigrate', bandwidth: 2 ** 40, ...options });
  const record = recordOfKilled({ qmp: fake.path, ram: [ram], settings: SETTINGS }, changes);
  const path = recordPath(folder, record.migration, record.side);
  await writeRecord(path, record);
  return { fake, path, records: async () => [{ record: await readRecord(path), path }] };
}

describe.skipIf(!existsSync('/proc/self/fd'))('settleEarlier()', () => {
  it('lets a guest go on, with its settings, whose savkit was killed before it handed the guest over', async () => {
    const { fake, path, records } = await left();
    expect(await settleEarlier(fake.path, records)).toEqual([]);
    expect((await readRecord(path)).decision).toBe('kept');
    const done = ['cont', 'migrate-set-capabilities', 'migrate-set-parameters'];
    expect(fake.asked.filter((word) => done.includes(word))).toEqual(done);
  });

  it('only tells in a dry run which guest would go on', async () => {
    const { fake, path, records } = await left();
    expect(await settleEarlier(fake.path, records, true)).toMatchObject([{ code: 'unsettled', isFatal: false }]);
    expect([fake.asked, (await readRecord(path)).decision]).toEqual([[], 'migrating']);
  });

  it.each([
    ['was handed over', { decision: 'handed-over' }, "only the target's record tells whether it runs there"],
    ['is under way', { pid: process.pid }, `is under way, by process ${process.pid}`],
    ['came here, and its savkit was killed', { side: 'target', decision: 'ready' }, 'while the guest came here'],
  ] as const)('is in the way of the next migration of a guest that %s', async (_name, changes, why) => {
    const { fake, path, records } = await left(changes as Partial<DecisionRecord>);
    for (const isDryRun of [false, true]) {
      const [found, ...more] = await settleEarlier(fake.path, records, isDryRun);
      expect([found, more]).toMatchObject([{ code: 'unsettled', isFatal: true }, []]);
      if (!isDryRun) expect(found.message).toContain(why);
      if (!('pid' in changes)) expect(found.message).toContain(`--resolve ${path}`);
    }
    expect([fake.asked, (await readRecord(path)).decision]).toEqual([
      [],
      (changes as Partial<DecisionRecord>).decision ?? 'migrating',
    ]);
  });

  it.each([
    ['has not been done', 2 ** 40, ['cont', 'migrate-set-capabilities', 'migrate-set-parameters']],
    ['has been done', 7, []],
  ])('carries out what was decided if that %s', async (_name, bandwidth, asked) => {
    const { fake, records } = await left({ decision: 'kept' }, { bandwidth });
    expect(await settleEarlier(fake.path, records)).toEqual([]);
    expect(fake.asked.filter((word) => /^cont|^migrate-set/.test(word))).toEqual(asked);
  });

  it('names the reason of a QEMU that refuses its settings', async () => {
    const { fake, records } = await left({}, { refuses: 'migrate-set-capabilities' });
    expect(await settleEarlier(fake.path, records)).toMatchObject([
      { isFatal: true, message: expect.stringContaining('it is blocked') },
    ]);
  });

  it.each([
    ['is over, the guest elsewhere', { decision: 'done' }],
    ['is of another guest', { guest: { pid: GONE, qmp: '/x', ram: [] } }],
    ['is of another host', { place: 'elsewhere 1 2' }],
    ['is of no guest', { guest: undefined }],
  ] as const)('passes over a record that %s', async (_name, changes) => {
    const { fake, records } = await left(changes as Partial<DecisionRecord>);
    expect(await settleEarlier(fake.path, records)).toEqual([]);
    expect(fake.asked).toEqual([]);
  });
});
