import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach } from 'vitest';
import { world } from '../../formats/world/world.ts';
import type { DecisionRecord, GuestRecord } from '../hand-over/decision-record.ts';
import { type FakeGuestOptions, fakeQemu } from './fake-qemu.ts';
import type { FakeQmp } from './fake-qmp.ts';

// Guests of fake QEMUs whose savkit was killed; the process of a fake QEMU is that of the tests.

/** Number of a process that is not there: more than any system gives. */
export const GONE = 2 ** 30;

/**
 * A folder for the tests of a file, and fake QEMUs in it, which end with each test. @param ramBytes size of their memory
 */
export function leftGuests(
  name: string,
  ramBytes = 8192,
): {
  folder: string;
  /** File of the guest's memory. */
  ram: string;
  start(options: FakeGuestOptions): Promise<FakeQmp>;
} {
  const folder = mkdtempSync(join(tmpdir(), `savkit-${name}-`));
  const ram = join(folder, 'ram');
  const fakes: FakeQmp[] = [];
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(() => {
    for (const fake of fakes.splice(0)) fake.close();
  });
  const start = async (options: FakeGuestOptions) => {
    writeFileSync(ram, Buffer.alloc(ramBytes, 1));
    const fake = await fakeQemu(ram, options);
    fakes.push(fake);
    return fake;
  };
  return { folder, ram, start };
}

/** The record of a source whose savkit was killed before its decision. */
export function recordOfKilled(guest: Omit<GuestRecord, 'pid'>, changes: Partial<DecisionRecord> = {}): DecisionRecord {
  return {
    ...{ format: 'savkit-migration/1', side: 'source', migration: '00'.repeat(16), decision: 'migrating' },
    ...{ machine: 'vm', peer: 'there:7000', pid: GONE, place: world.process.place(), attempt: 1, at: 1 },
    ...{ guest: { pid: process.pid, ...guest }, wasPaused: false },
    ...changes,
  };
}
