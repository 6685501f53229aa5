import { describe, expect, it } from 'vitest';
import type { GuestDisk } from './guest-disks.ts';
import type { GuestFacts } from './guest-facts.ts';
import { hindrancesOf } from './hindrances.ts';

const FACTS: GuestFacts = {
  version: '10.0.2',
  name: 'a',
  status: 'running',
  machineType: 'pc-i440fx-7.2',
  accelerator: 'tcg',
  cpus: 1,
  backends: [
    {
      ...{ id: 'pc.ram', bytes: 1 << 24, isShared: true, type: 'memory-backend-file', path: '/dev/shm/a', offset: 0 },
      hostAddress: 0x7000_0000,
    },
  ],
  disks: [],
  devices: [],
  unmovable: [],
  blockers: [],
  settings: { capabilities: [], bandwidth: 1, downtime: 1 },
  process: { pid: 1, commandLine: ['qemu'] },
};
const DISK: GuestDisk = {
  ...{ node: 'd', nodeNow: 'd', device: 'vd0', bytes: 1, file: '/d.qcow2' },
  ...{ isReadOnly: false, isDirect: false },
};
const [RAM] = FACTS.backends;
const NO_DISKS = { areShared: false, areMirrored: false };

describe('hindrancesOf()', () => {
  it('finds none where there is none', () => {
    expect(hindrancesOf(FACTS, NO_DISKS)).toEqual([]);
    expect(
      hindrancesOf(
        { ...FACTS, status: 'paused', version: '7.2.22', backends: [{ ...RAM, type: 'memory-backend-memfd' }] },
        NO_DISKS,
      ),
    ).toEqual([]);
    expect(hindrancesOf({ ...FACTS, disks: [{ ...DISK, isReadOnly: true }] }, NO_DISKS)).toEqual([]);
  });

  it.each<[string, Partial<GuestFacts>]>([
    ['bad-state', { status: 'postmigrate' }],
    ['bad-state', { status: 'inmigrate' }],
    ['bad-state', { status: 'io-error' }],
    ['bad-state', { status: 'shutdown' }],
    ['blocked', { blockers: ['VirtFS has a mount'] }],
    ['hidden-memory', { backends: [] }],
    ['hidden-memory', { backends: [RAM, { ...RAM, id: 'dimm', isShared: false, hostAddress: undefined }] }],
    ['other-memory', { backends: [{ ...RAM, type: '' }] }],
    ['other-memory', { backends: [{ ...RAM, type: 'memory-backend-epc' }] }],
    ['other-memory', { backends: [{ ...RAM, path: '/dev/dax0.0' }] }],
    ['other-device', { unmovable: ['vhost-user-fs-pci'] }],
    ['disk', { disks: [DISK] }],
    ['snapshot', { disks: [{ ...DISK, file: '/var/tmp/vl.X3aBc9' }] }],
    ['snapshot', { process: { pid: 1, commandLine: ['qemu', '-snapshot'] } }],
    ['no-version', { machineType: 'none' }],
  ])('refuses %s: %j', (code, change) => {
    const found = hindrancesOf({ ...FACTS, ...change }, NO_DISKS);
    expect(found).toMatchObject([{ code, isFatal: true }]);
  });

  it('takes disks that both hosts see, but for those of -snapshot', () => {
    const shared = { areShared: true, areMirrored: false };
    expect(hindrancesOf({ ...FACTS, disks: [DISK] }, shared)).toEqual([]);
    expect(hindrancesOf({ ...FACTS, disks: [{ ...DISK, file: '/tmp/vl.AAAAAA' }] }, shared)).toHaveLength(1);
  });

  it.each([
    { isShared: false },
    { type: 'memory-backend-ram', isShared: false, path: undefined },
    { type: 'memory-backend-memfd', path: undefined },
  ])('only tells that QEMU hands memory out which is %j; but refuses where nobody can reach it', (change) => {
    const facts = { ...FACTS, backends: [{ ...RAM, ...change }] };
    expect(hindrancesOf(facts, NO_DISKS)).toMatchObject([{ code: 'private-memory', isFatal: false }]);
    expect(hindrancesOf({ ...facts, process: undefined }, NO_DISKS)).toContainEqual(
      expect.objectContaining({ code: 'hidden-memory' }),
    );
  });

  it('is not stopped by facts that only a person can judge, but tells of them', () => {
    const { process: _, ...rest } = FACTS;
    const hidden = hindrancesOf({ ...rest, process: undefined }, NO_DISKS);
    expect(hidden).toMatchObject([{ code: 'no-process', isFatal: false }]);
    const process = { pid: 1, commandLine: ['qemu', '-cpu', 'host'] };
    const kvm = hindrancesOf({ ...FACTS, accelerator: 'kvm', process }, NO_DISKS);
    expect(kvm).toMatchObject([{ code: 'host-cpu', isFatal: false }]);
  });
});
