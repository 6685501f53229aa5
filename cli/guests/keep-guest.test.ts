import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { learnGuestFacts } from '../../migrations/guests/guest-facts.ts';
import { QemuSource } from '../../migrations/guests/qemu-source.ts';
import { reachGuest } from '../../migrations/guests/reach-guest.ts';
import { fakeQemu } from '../../migrations/testing/fake-qemu.ts';
import { extract } from '../../src/saved-state/extract/extract.ts';
import { verifyQemu } from '../../src/saved-state/qemu-verify/verify-qemu.ts';
import { qemuSample, qemuTruth } from '../../src/testing/qemu-samples.ts';
import { MemoryTarget, sha256 } from '../../src/testing/states.ts';
import { keepGuest } from './keep-guest.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-keep-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(process.platform !== 'linux')('keepGuest()', () => {
  it('writes a guest that stands still as a state that holds its memory and its devices', async () => {
    const ram = join(folder, 'ram');
    writeFileSync(ram, qemuSample('ignore-shared-10.ram'));
    const fake = await fakeQemu(ram, { devices: qemuSample('ignore-shared-10.state') });
    const { qmp, process, close } = await reachGuest(fake.path);
    const source = QemuSource.open(qmp, await learnGuestFacts(qmp, process));
    try {
      await source.pause();
      // As a migration leaves it: its devices are saved, and no writes are tracked any more.
      await source.saveRest();
      await source.stopTracking();
      const path = await keepGuest(source, join(folder, 'kept.state'));
      const kept = bufferSource(readFileSync(path));
      const { verdict, state } = await verifyQemu(kept);
      const truth = qemuTruth('ignore-shared-10.state');
      const bodies = truth.sections.filter(({ type }) => type === 'full').map((section) => section.sha256);
      expect([verdict, state?.devices.map(({ body }) => sha256(body))]).toEqual(['no-damage-found', bodies]);
      const memory = new MemoryTarget();
      await extract(kept, memory);
      expect(sha256(memory.bytes)).toBe(truth.ram.sha256);
    } finally {
      source.close();
      close();
      fake.close();
    }
  });
});
