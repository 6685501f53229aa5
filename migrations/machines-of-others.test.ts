import { duplexPair } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { SavkitError } from '../formats/errors.ts';
import type { MachineDescription } from './machine/description.ts';
import type { DiskWay } from './machine/machine.ts';
import type { PageHashes } from './machine/page-hashes.ts';
import type { PageSet } from './machine/page-set.ts';
import { MemoryHasher } from './proof/memory-hasher.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair, SHORT } from './testing/pair.ts';
import { PlainMachine } from './testing/plain-machine.ts';
import { MachineHost } from './virtual-machine/machine-host.ts';
import { FrameChannel } from './wire/frame-channel.ts';
import { AfterRound } from './wire/frames.ts';
import { LinkError } from './wire/link-error.ts';
import { PROTOCOL } from './wire/messages.ts';
import { readHead } from './wire/payload.ts';

// Migrations of machines that another hypervisor runs: savkit can't note their writes, saves their devices
// only when they stand still, and is not the only one who can start them.

/**
 * A machine whose memory is compared with the memory at the target. Its devices can be saved only while it stands
 * still.
 */
class OthersMachine extends PlainMachine {
  readonly comparesMemory = true;
  readonly stopMs = 1;
  /** Called once it stands still. */
  onPause: (() => void) | undefined;
  #known: PageHashes | undefined;
  #wasStarted = false;

  override startTracking(known?: PageHashes): void {
    this.#known = known;
  }
  override async takeDirty(into: PageSet): Promise<void> {
    if (this.isRunning) this.onTakeDirty?.();
    await new MemoryHasher(this).hashAll(into.pageCount, (page, words, i) => {
      if (!this.#known?.is(page, words, i)) into.add(page);
    });
  }
  override async pause(): Promise<void> {
    this.isRunning = false;
    this.onPause?.();
  }
  override async outline(): Promise<Uint8Array> {
    return new Uint8Array(0);
  }
  override async saveRest(): Promise<Uint8Array> {
    if (this.isRunning) throw new Error('it runs');
    return super.saveRest();
  }
  startedByOthers(): void {
    this.#wasStarted = true;
  }
  async stillStands(): Promise<void> {
    if (this.#wasStarted) throw new SavkitError('started-by-others', 'somebody has started it');
  }
}

function othersMachine(pages = 400): OthersMachine {
  const machine = new OthersMachine(pages);
  machine.memory.set(mixedMachine(pages).memory);
  return machine;
}

describe('a machine that compares its memory', () => {
  it('moves with a full proof, and loses no page that gets its old content back', async () => {
    const pair = await Pair.create();
    const machine = othersMachine();
    // The guest writes between a look and the sending, and takes that back later: the bytes that were sent count.
    let looks = 0;
    machine.onTakeDirty = () => {
      machine.memory.fill(++looks % 2, 4096 * 7, 4096 * 8);
    };
    const report = await pair.migrate(machine, { proof: 'full' });
    const arrived = (await pair.receiver.arrived) as PlainMachine;
    expect(report).toMatchObject({ outcome: 'handed-over', proof: { mode: 'full', lostPages: 0 } });
    expect(Buffer.compare(arrived.memory, machine.memory)).toBe(0);
    expect([machine.isReleased, arrived.isRunning]).toEqual([true, true]);
  });

  it('is compared at rest where a full proof takes too long; the target has hashed its memory by then', async () => {
    const pair = await Pair.create();
    const machine = othersMachine();
    let looks = 0;
    machine.onTakeDirty = () => {
      machine.memory.fill(++looks % 2, 4096 * 7, 4096 * 8);
    };
    // A write after the last comparison while the machine ran.
    machine.onPause = () => machine.memory.fill(9, 4096 * 8, 4096 * 9);
    const after: number[] = [];
    pair.tap = (_from, name, frame) => {
      if (name === 'barrier') after.push(readHead({ name, payload: frame.subarray(12) }, 'barrier').head.next);
      return 'pass';
    };
    const report = await pair.migrate(machine, { proof: 'audited' });
    const arrived = (await pair.receiver.arrived) as PlainMachine;
    expect(report).toMatchObject({ proof: { mode: 'compared', lostPages: 0, afterwards: null } });
    expect(after.slice(-2)).toEqual([AfterRound.AUDIT, AfterRound.SEAL]);
    expect(Buffer.compare(arrived.memory, machine.memory)).toBe(0);
  });

  it('shows a page that its target has lost after the target had hashed its memory', async () => {
    const pair = await Pair.create();
    const machine = othersMachine();
    let isLost = false;
    machine.onPause = () => {
      machine.memory.fill(9, 4096 * 8, 4096 * 9);
      const target = pair.host.machine as PlainMachine;
      const write = target.writePages.bind(target);
      target.writePages = (pages, count, bytes, at) => {
        if (isLost || !pages.subarray(0, count).includes(8)) write(pages, count, bytes, at);
        isLost = true;
      };
    };
    const report = await pair.migrate(machine, { proof: 'audited' });
    expect(isLost).toBe(true);
    expect(report).toMatchObject({ outcome: 'handed-over', proof: { mode: 'compared', lostPages: 1 } });
    expect(Buffer.compare(((await pair.receiver.arrived) as PlainMachine).memory, machine.memory)).toBe(0);
  });

  it.each(['full', 'audited'] as const)(
    'sends pages that it writes while `readyToPause` works before it stands still, proof %s',
    async (proof) => {
      const pair = await Pair.create();
      const machine = othersMachine();
      const readyToPause = async () => {
        machine.memory.fill(9, 4096 * 50, 4096 * 250);
        return true;
      };
      Object.assign(machine, { readyToPause });
      const { rounds, outcome } = await pair.migrate(machine, { proof });
      expect(outcome).toBe('handed-over');
      expect(rounds.filter(({ paused }) => paused).every(({ pages }) => pages === 0)).toBe(true);
      expect(Buffer.compare(((await pair.receiver.arrived) as PlainMachine).memory, machine.memory)).toBe(0);
    },
  );

  it('stays, and runs on, when somebody else has started it while it was handed over', async () => {
    const pair = await Pair.create();
    const machine = othersMachine();
    machine.onPause = () => machine.startedByOthers();
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'kept', code: 'started-by-others' });
    expect(pair.sourceLog.written).not.toContain('handed-over');
    expect([machine.isRunning, pair.host.machine?.isRunning]).toEqual([true, false]);
  });
});

describe('a target whose machine is lost before it runs', () => {
  async function pairWith(prepare: (machine: PlainMachine, end: () => void) => void): Promise<Pair> {
    const pair = await Pair.create();
    pair.host.onCreate = (made) => {
      const ended = new Promise<SavkitError>((resolve) => {
        prepare(made, () => resolve(new SavkitError('qemu-ended', 'QEMU has ended')));
      });
      Object.assign(made, { ended });
    };
    return pair;
  }

  it('takes no more pages, and tells the source why', async () => {
    const pair = await pairWith((made, end) => {
      const write = made.writePages.bind(made);
      made.writePages = (...page) => [write(...page), end()];
    });
    const machine = othersMachine(400);
    const arrived = expect(pair.receiver.arrived).rejects.toThrow('QEMU has ended');
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'kept', code: 'qemu-ended', rounds: [] });
    await arrived;
    expect(machine.isRunning).toBe(true);
  });

  it.each(['before', 'after'])(
    'does not keep the machine for a source whose link was lost %s QEMU ended',
    async (when) => {
      let end = () => {};
      const pair = await pairWith((_, endIt) => {
        end = endIt;
      });
      pair.tap = (_from, name) => {
        if (name !== 'pages') return 'pass';
        if (when === 'after') end();
        return 'cut-before';
      };
      const arrived = expect(pair.receiver.arrived).rejects.toThrow('QEMU has ended');
      const connect = async () => {
        if (when === 'before' && pair.links > 0) end();
        if (pair.links > 0) throw LinkError.lost();
        return pair.connect();
      };
      expect(await pair.migrate(othersMachine(50), { connect, resumeWithinMs: 50 })).toMatchObject({ outcome: 'kept' });
      await arrived;
      expect(pair.host.machine?.isDiscarded).toBe(true);
      expect(pair.targetLog.written.at(-1)).toBe('gave-up');
    },
  );

  it('does not promise to run the machine, and the source goes on', async () => {
    const pair = await pairWith((made, end) => Object.assign(made, { loadRest: async () => end() }));
    const machine = othersMachine(50);
    const arrived = expect(pair.receiver.arrived).rejects.toThrow('QEMU has ended');
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'kept', code: 'qemu-ended' });
    await arrived;
    expect([machine.isRunning, machine.isReleased]).toEqual([true, false]);
  });

  it('gives the machine up though it has promised to run it; the source asks and goes on', async () => {
    let end = () => {};
    const pair = await pairWith((_, endIt) => {
      end = endIt;
    });
    const machine = othersMachine(50);
    const write = pair.sourceLog.write.bind(pair.sourceLog);
    pair.sourceLog.write = async (decision) => {
      await write(decision);
      if (decision !== 'handed-over') return;
      end();
      await vi.waitUntil(() => pair.targetLog.written.includes('gave-up'), 60_000);
    };
    const arrived = expect(pair.receiver.arrived).rejects.toThrow('QEMU has ended');
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'kept', code: 'target-gave-up' });
    await arrived;
    expect([machine.isRunning, machine.isReleased, pair.host.machine?.isRunning]).toEqual([true, false, false]);
    expect(pair.targetLog.written).toEqual(['receiving', 'ready', 'gave-up']);
    // No link is left over which the source could be told.
    await pair.receiver.close();
  });
});

describe('a target whose machine does not start', () => {
  it('keeps the machine and is asked again; the source releases its own only when the target has started', async () => {
    const pair = await Pair.create();
    let tries = 0;
    const machine = mixedMachine(50);
    pair.host.onCreate = (made) => {
      made.start = () => {
        if (++tries === 1) throw new SavkitError('locked', 'the disk is locked');
        expect(machine.isReleased).toBe(false);
        made.isRunning = true;
      };
    };
    const report = await pair.migrate(machine);
    expect([report.outcome, tries, machine.isReleased]).toEqual(['handed-over', 2, true]);
    expect(pair.targetEvents).toContainEqual({ event: 'not-started', message: 'the disk is locked' });
    expect(((await pair.receiver.arrived) as PlainMachine).isRunning).toBe(true);
  });
});

describe('a guest of QEMU', () => {
  const description: MachineDescription = {
    hypervisor: 'qemu',
    name: 'guest',
    release: '10.0.2',
    machineType: 'pc-i440fx-7.2',
    accelerator: 'tcg',
    cpus: 1,
    executes: true,
    devices: [],
    disks: [],
    regions: [{ kind: 'ram', name: 'pc.ram', id: 0, firstFrame: 0, pages: 50, fileOffset: 0 }],
  };

  it('is not described to a target of an older version: the message asks for an update there', async () => {
    const machine = Object.assign(othersMachine(50), { description });
    const pair = await Pair.create();
    const connect = async () => {
      const [source, target] = duplexPair();
      const channel = new FrameChannel(target, SHORT);
      const capabilities = { zstd: false, streams: 1, window: 1 << 20 };
      void channel.send('hello', {}, { protocol: PROTOCOL, versions: [1], nonce: '00'.repeat(16), capabilities });
      return source;
    };
    await expect(pair.migrate(machine, { connect })).rejects.toMatchObject({
      code: 'other-version',
      message: expect.stringContaining('takes no guests of QEMU; update it'),
    });
    expect(machine.isRunning).toBe(true);
  });

  it('is refused by a target that was started for machines of savkit', async () => {
    const machine = Object.assign(othersMachine(50), { description });
    const pair = await Pair.create({ host: new MachineHost() });
    await expect(pair.migrate(machine)).rejects.toMatchObject({
      code: 'other-hypervisor',
      message: expect.stringContaining('--qemu-args'),
    });
  });
});

describe('a machine that copies its disks', () => {
  const disks = ['d0', 'd1'].map((node) => ({ node, device: node, bytes: 3 }));
  const description: MachineDescription = {
    ...{ hypervisor: 'qemu', name: 'guest', release: '10.0.2', machineType: 'pc-i440fx-7.2', accelerator: 'tcg' },
    ...{ cpus: 1, executes: true, devices: [], disks },
    regions: [{ kind: 'ram', name: 'pc.ram', id: 0, firstFrame: 0, pages: 50, fileOffset: 0 }],
  };
  const BYTES = Buffer.alloc(300_000, 'disk');

  /** A machine that, before its memory moves, sends some bytes for a disk, and hands the answer to `answered`. */
  function machineWithDisks(disk: number, answered: (bytes: Buffer) => void): OthersMachine {
    const copyDisks = async (way: DiskWay) => {
      const [own, hypervisors] = duplexPair();
      way.carry(disk, hypervisors);
      const answer: Buffer[] = [];
      own.on('data', (piece: Buffer) => answer.push(piece)).on('error', () => {});
      own.write(BYTES);
      await vi.waitUntil(() => way.failure() || Buffer.concat(answer).length >= BYTES.length, 60_000);
      const failure = way.failure();
      if (failure) throw failure;
      own.end();
      way.onProgress(1, 2);
      answered(Buffer.concat(answer));
    };
    return Object.assign(othersMachine(50), { description, copyDisks });
  }

  it('has its target take the disks over connections of the migration, before a page moves', async () => {
    const pair = await Pair.create();
    const opened: number[] = [];
    pair.host.onCreate = (made) => {
      const openDisk = async (disk: number) => {
        opened.push(disk);
        const [own, target] = duplexPair();
        own.on('data', (piece) => own.write(piece));
        return target;
      };
      Object.assign(made, { openDisk });
    };
    let answer: Buffer | undefined;
    const machine = machineWithDisks(1, (bytes) => {
      answer = bytes;
      expect(pair.host.machine?.memory.every((byte) => byte === 0)).toBe(true);
    });
    expect(await pair.migrate(machine)).toMatchObject({ outcome: 'handed-over' });
    expect(opened).toEqual([1]);
    expect(answer && Buffer.compare(answer, BYTES)).toBe(0);
    expect(pair.events).toContainEqual({ event: 'disks', bytes: 1, of: 2 });
  });

  it.each([
    [7, true],
    [0, false],
  ])('stays where the target cannot take disk %d', async (disk, canOpen) => {
    const pair = await Pair.create();
    pair.host.onCreate = (made) => {
      if (canOpen) Object.assign(made, { openDisk: async () => duplexPair()[0] });
    };
    const report = await pair.migrate(machineWithDisks(disk, () => {}));
    expect(report).toMatchObject({ outcome: 'kept', code: 'bad-stream', rounds: [] });
  });

  it('stays where the disk of the target answers nothing: the guest here would wait for the answer', async () => {
    const pair = await Pair.create();
    pair.host.onCreate = (made) => Object.assign(made, { openDisk: async () => duplexPair()[0].resume() });
    const report = await pair.migrate(machineWithDisks(0, () => {}));
    expect(report).toMatchObject({ outcome: 'kept', code: 'disk-failed', rounds: [] });
  });
});
