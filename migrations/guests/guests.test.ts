import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { enterWorld, world } from '../../formats/world/world.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import { QmpClient } from '../qmp/qmp-client.ts';
import { compilerThatMakes } from '../testing/fake-compiler.ts';
import { DEVICES, type FakeGuestOptions, fakeQemu } from '../testing/fake-qemu.ts';
import type { FakeQmp } from '../testing/fake-qmp.ts';
import { handedOut } from '../testing/handed-out.ts';
import { mixedMachine } from '../testing/mixed-machine.ts';
import { Pair } from '../testing/pair.ts';
import type { PlainMachine } from '../testing/plain-machine.ts';
import { MigrationError } from '../wire/migration-error.ts';
import { copyGuest } from './copy-guest.ts';
import { learnGuestFacts } from './guest-facts.ts';
import { RamFiles } from './memory/ram-files.ts';
import { QemuSource, type QemuSourceOptions } from './qemu-source.ts';

const folder = mkdtempSync(join(tmpdir(), 'savkit-guests-'));
const ram = join(folder, 'ram');
const PAGES = 300;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Makes the guest of a fake QEMU, whose process is that of the tests and goes on. */
async function fakeGuest(options: FakeGuestOptions = {}, sourceOptions: QemuSourceOptions = {}) {
  writeFileSync(ram, mixedMachine(PAGES).memory);
  const fake = await fakeQemu(ram, options);
  const qmp = await QmpClient.connect(fake.path);
  const facts = { ...(await learnGuestFacts(qmp)), process: undefined };
  return { fake, qmp, source: QemuSource.open(qmp, facts, sourceOptions) };
}

describe('QemuSource', () => {
  it('moves: memory as in the file, devices as QEMU saves them, and QEMU is told to quit only when it runs there', async () => {
    const { fake, source } = await fakeGuest();
    const pair = await Pair.create();
    let rest = Buffer.alloc(0);
    pair.host.onCreate = (machine) => {
      machine.loadRest = async (bytes) => {
        rest = Buffer.from(bytes);
      };
      machine.start = () => {
        expect(fake.asked).not.toContain('quit');
      };
    };
    const report = await pair.migrate(source, { proof: 'full' });
    expect(report).toMatchObject({ outcome: 'handed-over', machine: 'fake', proof: { mode: 'full', lostPages: 0 } });
    expect(Buffer.compare(((await pair.receiver.arrived) as PlainMachine).memory, readFileSync(ram))).toBe(0);
    expect(rest.equals(DEVICES)).toBe(true);
    const order = ['migrate-set-capabilities', 'stop', 'migrate', 'migrate-set-capabilities', 'quit'];
    expect(fake.asked.filter((command) => order.includes(command))).toEqual(order);
    fake.close();
    source.close();
  });

  it('leaves QEMU its settings until the stop, and gives back those that it has then', async () => {
    const set: unknown[] = [];
    const options: FakeGuestOptions = { onSet: (capabilities) => set.push(capabilities) };
    const { fake, source } = await fakeGuest(options);
    await source.startTracking(new PageHashes(PAGES));
    // Its owner changes a setting while pages go.
    options.switchedOn = ['multifd'];
    await source.readyToPause();
    await source.stopTracking();
    const switched = (capability: string, state: boolean) => ({ capability, state });
    expect(set).toEqual([
      [switched('multifd', false), switched('x-ignore-shared', true)],
      [switched('xbzrle', false), switched('multifd', true), switched('x-ignore-shared', false)],
    ]);
    fake.close();
    source.close();
  });

  it('gives QEMU its settings back over another connection where the first one breaks', async () => {
    const set: unknown[] = [];
    const options: FakeGuestOptions = {};
    const { fake, source } = await fakeGuest(options);
    await source.readyToPause();
    options.onSet = (capabilities) => {
      if (set.push(capabilities) === 1) fake.hangUp();
    };
    await source.stopTracking();
    expect([set.length, set[1]]).toEqual([2, set[0]]);
    expect(fake.asked.slice(-2)).toEqual(['migrate-set-capabilities', 'migrate-set-parameters']);
    fake.close();
    source.close();
  });

  it('says so where QEMU does not take its settings back, and lets the guest run', async () => {
    const options: FakeGuestOptions = {};
    const told: string[] = [];
    const { fake, source } = await fakeGuest(options, { onSettingsLeft: ({ code }) => told.push(code) });
    await source.pause();
    options.refuses = 'migrate-set-parameters';
    await source.resume();
    expect([fake.asked.at(-1), source.isPaused, told]).toEqual(['cont', false, []]);
    let now = 0;
    const before = enterWorld({ ...world, time: { ...world.time, now: () => (now += 1000) } });
    await source.stopTracking().finally(() => enterWorld(before));
    expect(told).toEqual(['qmp-refused']);
    fake.close();
    source.close();
  });

  it('does not wait for a QEMU that is gone to take its settings back', async () => {
    const told: string[] = [];
    const { fake, source } = await fakeGuest({}, { onSettingsLeft: ({ code }) => told.push(code) });
    await source.readyToPause();
    fake.close();
    await source.stopTracking();
    expect(told).toEqual([]);
    source.close();
  });

  it('runs on where QEMU does not save its devices, with its settings as they were', async () => {
    const { fake, source } = await fakeGuest({ refuses: 'migrate' });
    const pair = await Pair.create();
    expect(await pair.migrate(source)).toMatchObject({
      outcome: 'kept',
      because: expect.stringContaining('it is blocked'),
    });
    expect(fake.asked.slice(-3)).toEqual(['migrate-set-capabilities', 'migrate-set-parameters', 'cont']);
    expect(pair.host.machine?.isRunning).toBe(false);
    fake.close();
    source.close();
  });

  it('stays, where somebody else lets it run while it is handed over', async () => {
    const { fake, source } = await fakeGuest({ onStop: (qemu) => qemu.event('RESUME') });
    // The event comes with the answer to the command, or just after it.
    const pair = await Pair.create();
    pair.host.onCreate = (machine) => {
      machine.loadRest = async () => fake.event('RESUME');
    };
    expect(await pair.migrate(source)).toMatchObject({ outcome: 'kept', code: 'started-by-others' });
    expect(pair.sourceLog.written).not.toContain('handed-over');
    fake.close();
    source.close();
  });

  it.each([
    [
      'stays, where somebody else lets it run before the answer to stop is read',
      ['STOP', 'RESUME'],
      'started-by-others',
    ],
    ['moves, where somebody else has let it run just before it is stopped', ['RESUME', 'STOP'], null],
  ])('%s', async (_, events, code) => {
    const { fake, source } = await fakeGuest({
      onStop: (qemu) => {
        for (const event of events) qemu.event(event);
      },
    });
    const pair = await Pair.create();
    pair.host.onCreate = (machine) => {
      machine.loadRest = async () => {};
    };
    expect(await pair.migrate(source)).toMatchObject({ code });
    fake.close();
    source.close();
  });

  it('tells of a QEMU that ends in the midst of it', async () => {
    const { source } = await fakeGuest({ onStop: (qemu) => qemu.close() });
    const pair = await Pair.create();
    expect(await pair.migrate(source)).toMatchObject({ outcome: 'kept', code: 'qmp-closed', stays: 'ended' });
    expect(pair.host.machine?.isRunning).toBe(false);
    source.close();
  });

  it('tells of a QEMU that has ended while pages went, before it looks for more of them', async () => {
    const { fake, source } = await fakeGuest();
    const pair = await Pair.create();
    pair.host.onCreate = async () => {
      fake.close();
      await vi.waitUntil(() => source.hasEnded());
    };
    expect(await pair.migrate(source)).toMatchObject({
      outcome: 'kept',
      code: 'qmp-closed',
      stays: 'ended',
      rounds: [],
    });
    source.close();
  });

  it('runs on where only the connection to QEMU breaks while it stands still, and connects again', async () => {
    let isBroken = false;
    const breakOnce = (qemu: FakeQmp) => {
      if (!isBroken) qemu.hangUp();
      isBroken = true;
    };
    const { fake, source } = await fakeGuest({ onStop: breakOnce });
    const pair = await Pair.create();
    expect(await pair.migrate(source)).toMatchObject({ outcome: 'kept', code: 'qmp-closed', stays: 'as-it-was' });
    expect(fake.asked.at(-1)).toBe('cont');
    fake.close();
    source.close();
  });

  it('says that the guest stands still where QEMU does not let it go on', async () => {
    const refuses = { refuses: 'migrate' };
    const { fake, source } = await fakeGuest(refuses);
    const pair = await Pair.create();
    pair.host.onCreate = (machine) => {
      machine.loadRest = async () => {};
    };
    // QEMU refuses `cont` after it has refused to save the devices.
    fake.onAsked = (command) => {
      if (command === 'migrate') setImmediate(() => Object.assign(refuses, { refuses: 'cont' }));
    };
    const report = await pair.migrate(source);
    expect(report).toMatchObject({ outcome: 'kept', code: 'qmp-refused', stays: 'standing-still' });
    expect(report.because).toContain('QEMU refuses cont');
    fake.close();
    source.close();
  });
});

describe.skipIf(!existsSync('/proc/self/maps'))('QemuSource that has the kernel note writes', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each([
    ['from the start', 'exit 1', 'has ended'],
    [
      'in the midst of it',
      'echo ok; head -c 1 >/dev/null; printf "\\\\377\\\\377\\\\377\\\\377\\\\0\\\\0\\\\0\\\\0"',
      'has ended',
    ],
  ])('compares memory where the kernel does not do it %s, and says so once', async (_when, script, why) => {
    vi.stubEnv('CC', compilerThatMakes(join(folder, 'cc'), script));
    writeFileSync(ram, mixedMachine(PAGES).memory);
    const fake = await fakeQemu(ram);
    const qmp = await QmpClient.connect(fake.path);
    const facts = { ...(await learnGuestFacts(qmp)), process: { pid: process.pid, commandLine: [] } };
    const backends = facts.backends.map((backend) => ({ ...backend, hostAddress: 4096 }));
    const lost: string[] = [];
    const source = QemuSource.open(
      qmp,
      { ...facts, backends },
      {
        notesWrites: true,
        onWatchLost: ({ message }) => lost.push(message),
      },
    );
    const pair = await Pair.create();
    pair.host.onCreate = (machine) => {
      machine.loadRest = async () => {};
    };
    const report = await pair.migrate(source, { proof: 'full' });
    expect(report).toMatchObject({ outcome: 'handed-over', proof: { mode: 'full', lostPages: 0 } });
    expect(Buffer.compare(((await pair.receiver.arrived) as PlainMachine).memory, readFileSync(ram))).toBe(0);
    expect(lost).toEqual([expect.stringContaining(why)]);
    fake.close();
    source.close();
  });
});

describe.skipIf(!existsSync('/proc/self/maps'))('QemuSource of a guest whose memory is in its QEMU only', () => {
  /** Pages of the program that runs this test, which nobody writes to. */
  function ownPages() {
    const [from, to] = (/^([0-9a-f]+)-([0-9a-f]+) r--p 00000000/m.exec(readFileSync('/proc/self/maps', 'utf8')) ?? [])
      .slice(1)
      .map((text) => Number.parseInt(text, 16));
    return { hostAddress: from, bytes: Math.min(to - from, PAGES * 4096) };
  }

  async function hiddenGuest(options: FakeGuestOptions = {}) {
    writeFileSync(ram, '');
    const { hostAddress, bytes } = ownPages();
    const pages = bytes / 4096;
    const fake = await fakeQemu(ram, { handsOut: await handedOut({ 'pc.ram': pages, 'pc.rom': 1 }), ...options });
    const qmp = await QmpClient.connect(fake.path);
    const facts = { ...(await learnGuestFacts(qmp)), process: { pid: process.pid, commandLine: [] } };
    const [backend] = facts.backends;
    const source = QemuSource.open(qmp, { ...facts, backends: [{ ...backend, isShared: false, hostAddress, bytes }] });
    return { fake, source, bytes };
  }

  it('reads memory there, has QEMU write memory out before the stop, and leaves memory out of the devices', async () => {
    const { fake, source, bytes } = await hiddenGuest();
    const pair = await Pair.create();
    let rest = Buffer.alloc(0);
    pair.host.onCreate = (machine) => {
      machine.loadRest = async (devices) => {
        rest = Buffer.from(devices);
      };
    };
    // QEMU may stop an idle guest by itself as soon as it has handed all out: the record has to say before that whether
    // the guest ran.
    let recorded: string[] | undefined;
    pair.sourceLog.standsStill = () => {
      recorded ??= [...fake.asked];
    };
    const report = await pair.migrate(source, { proof: 'full' });
    expect(report).toMatchObject({ outcome: 'handed-over', proof: { mode: 'full', lostPages: 0 } });
    expect(recorded?.length).toBeGreaterThan(0);
    expect(recorded).not.toContain('migrate');
    const program = readFileSync(process.execPath).subarray(0, bytes);
    expect(Buffer.compare(((await pair.receiver.arrived) as PlainMachine).memory, program)).toBe(0);
    expect(rest.length).toBeLessThan(3 * 4096);
    const order = ['migrate', 'stop', 'migrate-continue', 'quit'];
    expect(fake.asked.filter((command) => order.includes(command))).toEqual(order);
    fake.close();
    source.close();
  });

  it.each([true, false])('needs another round where the guest writes on meanwhile: %s', async (writesOn) => {
    const { fake, source } = await hiddenGuest();
    // QEMU itself stops a guest that writes nothing.
    fake.onAsked = (command) => command === 'migrate' && !writesOn && fake.event('STOP');
    expect(await source.readyToPause()).toBe(writesOn);
    await source.stopTracking();
    fake.close();
    source.close();
  });

  it('goes on where the migration comes to nothing, and has QEMU give up the save that it has begun', async () => {
    const { fake, source } = await hiddenGuest();
    const pair = await Pair.create();
    pair.host.onCreate = (machine) => {
      machine.loadRest = async () => {
        throw new MigrationError('devices-failed', 'no');
      };
    };
    expect(await pair.migrate(source)).toMatchObject({ outcome: 'kept', stays: 'as-it-was' });
    expect(fake.asked.at(-1)).toBe('cont');
    fake.close();
    source.close();
    const refused = await hiddenGuest({ refuses: 'stop' });
    expect(await (await Pair.create()).migrate(refused.source)).toMatchObject({ outcome: 'kept', code: 'qmp-refused' });
    expect(refused.fake.asked).toContain('migrate_cancel');
    refused.fake.close();
    refused.source.close();
  });
});

describe('copyGuest()', () => {
  it('copies memory as it stands in the end, and devices, of a guest that goes on', async () => {
    const { fake, source } = await fakeGuest();
    const path = join(folder, 'copy');
    writeFileSync(path, Buffer.alloc(PAGES * 4096));
    const copy = RamFiles.open([{ path, offset: 0, pages: PAGES }], 'r+');
    let rounds = 0;
    const onRound = () => {
      // The guest writes to one page after each round but the last, and empties another.
      if (fake.asked.includes('stop')) return;
      const fd = openSync(ram, 'r+');
      writeSync(fd, Buffer.from([++rounds]), 0, 1, 5 * 4096);
      writeSync(fd, Buffer.alloc(4096), 0, 4096, 7 * 4096);
      closeSync(fd);
    };
    const { signal } = new AbortController();
    const { devices, report } = await copyGuest(source, copy, { maxDowntimeMs: 300, signal, onRound });
    copy.close();
    expect(Buffer.compare(readFileSync(path), readFileSync(ram))).toBe(0);
    expect(rounds).toBeGreaterThan(1);
    expect(report.rounds.at(-1)).toBeLessThanOrEqual(2);
    expect(DEVICES.equals(devices)).toBe(true);
    expect(fake.asked.at(-1)).toBe('cont');
    fake.close();
    source.close();
  });

  it.each(['migrate', 'stop'])('has it go on where QEMU refuses %s', async (refuses) => {
    const { fake, source } = await fakeGuest({ refuses });
    const path = join(folder, 'copy');
    writeFileSync(path, Buffer.alloc(PAGES * 4096));
    const copy = RamFiles.open([{ path, offset: 0, pages: PAGES }], 'r+');
    const { signal } = new AbortController();
    await expect(copyGuest(source, copy, { maxDowntimeMs: 300, signal })).rejects.toMatchObject({
      code: 'qmp-refused',
    });
    expect(fake.asked).toContain('cont');
    copy.close();
    fake.close();
    source.close();
  });

  it.each(['stop', 'migrate-set-capabilities'])('has it go on where the connection breaks at %s', async (at) => {
    const { fake, source } = await fakeGuest();
    const path = join(folder, 'copy');
    writeFileSync(path, Buffer.alloc(PAGES * 4096));
    const copy = RamFiles.open([{ path, offset: 0, pages: PAGES }], 'r+');
    const { signal } = new AbortController();
    fake.onAsked = (command) => {
      // Before the answer is read. The capabilities are first set, then put back.
      if (command !== at || !fake.asked.includes('stop')) return;
      fake.onAsked = undefined;
      fake.hangUp();
    };
    // The copy is good where the connection breaks after it was made.
    await copyGuest(source, copy, { maxDowntimeMs: 300, signal }).catch((error) =>
      expect(error.code).toBe('qmp-closed'),
    );
    expect([fake.onAsked, fake.asked.includes('cont'), source.isPaused]).toEqual([undefined, true, false]);
    copy.close();
    fake.close();
    source.close();
  });

  it.each([
    ['goes on as soon as QEMU answers again', true],
    ['is known to stand still, perhaps, where QEMU never does', false],
  ])('whose stop QEMU does not answer %s', async (_, answersAgain) => {
    const { time } = world;
    // Half a minute, for answers that never come, passes at once.
    const after: typeof time.after = (ms, wake, options) => time.after(ms < 30_000 ? ms : 200, wake, options);
    const beforeStop = async () => void enterWorld({ ...world, time: { ...time, after, now: () => time.now() * 100 } });
    const mute: FakeGuestOptions = {
      onStop: () => {
        mute.isMute = true;
      },
    };
    const { fake, source } = await fakeGuest(mute);
    const path = join(folder, 'copy');
    writeFileSync(path, Buffer.alloc(PAGES * 4096));
    const copy = RamFiles.open([{ path, offset: 0, pages: PAGES }], 'r+');
    fake.onAsked = (command) => {
      if (command === 'cont' && answersAgain) mute.isMute = false;
    };
    const { signal } = new AbortController();
    try {
      const copied = copyGuest(source, copy, { maxDowntimeMs: 300, signal, beforeStop });
      await expect(copied).rejects.toMatchObject({ code: 'qmp-silent' });
      expect([await source.mayStand(), fake.asked.filter((command) => command === 'cont').length]).toEqual([
        !answersAgain,
        2,
      ]);
    } finally {
      enterWorld({ ...world, time });
      copy.close();
      fake.close();
      source.close();
    }
  });

  it('ends, interrupted, in the midst of a copy', async () => {
    const { fake, source } = await fakeGuest();
    const copy = RamFiles.open([{ path: ram, offset: 0, pages: PAGES }], 'r+');
    const stop = new AbortController();
    const options = { maxDowntimeMs: 300, signal: stop.signal, onRound: () => stop.abort() };
    await expect(copyGuest(source, copy, options)).rejects.toMatchObject({ code: 'interrupted' });
    expect(fake.asked).not.toContain('stop');
    copy.close();
    fake.close();
    source.close();
  });
});
