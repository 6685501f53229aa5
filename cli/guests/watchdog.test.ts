import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { Receiver } from '../../migrations/arrival/receiver.ts';
import { DecisionMemory } from '../../migrations/hand-over/decision-record.ts';
import { fakeQemu } from '../../migrations/testing/fake-qemu.ts';
import { PlainHost } from '../../migrations/testing/plain-machine.ts';
import { SavkitProcess } from '../../migrations/testing/savkit-process.ts';
import { Gate } from '../../migrations/trust/gate.ts';
import { watchOver, whileWatched } from './watchdog.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-watchdog-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Folders of savkit that hold a record of a guest. */
function recordsOf(qmp: string): string[] {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith('savkit-guest-'));
  return folders.filter((name) => {
    const path = join(tmpdir(), name);
    const files = existsSync(path) ? readdirSync(path).filter((file) => file.endsWith('.json')) : [];
    return files.some((file) => readFileSync(join(path, file), 'utf8').includes(qmp));
  });
}

/** Text of a file of a process, which may have ended. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

describe.skipIf(!existsSync('/proc/self/fd'))('the watchdog of a guest', () => {
  it('lets a guest go on that stands still when savkit is killed', async () => {
    const ram = join(folder, 'ram');
    writeFileSync(ram, Buffer.alloc(64 * 4096, 7));
    // Its devices never come: savkit waits for them, and the guest stands still.
    const fake = await fakeQemu(ram, { hangsAt: 'migrate' });
    const receiver = await Receiver.create(new PlainHost(), { logFor: () => new DecisionMemory() });
    const gate = await Gate.open(
      { host: '127.0.0.1', port: 0 },
      { kind: 'insecure' },
      { onConnection: (socket, peer) => void receiver.accept(socket, peer) },
    );
    const to = `127.0.0.1:${gate.endpoint.port}`;
    const records = join(folder, 'records');
    const savkit = new SavkitProcess('migrate', `qmp:${fake.path}`, '--to', to, '--insecure', '--records', records);
    try {
      await vi.waitUntil(() => fake.asked.includes('migrate'), { timeout: 60_000 });
      expect(fake.asked).not.toContain('cont');
      savkit.child.kill('SIGKILL');
      await vi.waitUntil(() => fake.asked.includes('cont'), { timeout: 60_000 });
    } finally {
      savkit.child.kill('SIGKILL');
      gate.close();
      fake.close();
    }
  }, 120_000);

  it('inherits no secrets, as it outlives savkit', async () => {
    vi.stubEnv('SAVKIT_PAIRING_CODE', 'secret');
    const record = join(folder, 'watched-record');
    const end = watchOver(record);
    const environments = () => {
      const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
      const filesOf = (pid: string) => ['cmdline', 'environ'].map((name) => readText(`/proc/${pid}/${name}`));
      const watchdogs = pids.map(filesOf).filter(([words]) => words.includes(`savkit-watchdog\0\0${record}`));
      return watchdogs.map(([, environment]) => environment);
    };
    try {
      await vi.waitUntil(() => environments().some((text) => text.includes('PATH=')), { timeout: 60_000 });
      expect(environments().join()).not.toContain('SAVKIT_PAIRING_CODE');
    } finally {
      end();
    }
  });

  it('lets a guest go on whose save was under way when savkit is killed, and gives QEMU its settings back', async () => {
    const ram = join(folder, 'saved-ram');
    writeFileSync(ram, Buffer.alloc(64 * 4096, 7));
    const fake = await fakeQemu(ram, { hangsAt: 'migrate' });
    const savkit = new SavkitProcess('live-save', `qmp:${fake.path}`, join(folder, 'saved'));
    try {
      await vi.waitUntil(() => fake.asked.includes('migrate'), { timeout: 60_000 });
      expect(recordsOf(fake.path)).toHaveLength(1);
      savkit.child.kill('SIGKILL');
      const after = () => fake.asked.slice(fake.asked.indexOf('migrate') + 1);
      await vi.waitUntil(() => after().includes('migrate-set-capabilities'), { timeout: 60_000 });
      expect(after()).toContain('cont');
      // Only the watchdog needed the record, and its first try has succeeded.
      await vi.waitUntil(() => recordsOf(fake.path).length === 0, { timeout: 60_000 });
      expect(after().filter((command) => command === 'qmp_capabilities')).toHaveLength(1);
    } finally {
      savkit.child.kill('SIGKILL');
      fake.close();
    }
  }, 120_000);
});

describe('whileWatched()', () => {
  it.each([
    ['stands down once the guest runs', false, ['/r', 'down']],
    ['stays where the guest may stand still', true, ['/r']],
  ])('%s, be the work done or failed', async (_what, mayStand, expected) => {
    for (const work of [async () => 'undecided', () => Promise.reject(new Error('no answer'))]) {
      const done: string[] = [];
      const start = (path: string) => {
        done.push(path);
        return () => void done.push('down');
      };
      const watched = whileWatched(
        { mayStand: async () => mayStand },
        (watch) => {
          watch('/r');
          return work();
        },
        start,
      );
      await watched.catch(() => {});
      expect(done).toEqual(expected);
    }
  });
});
