import { describe, expect, it } from 'vitest';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { HostMemory } from '../../src/gmm/host-memory.ts';
import { offsetInChunk } from '../../src/gmm/page-id.ts';
import { memoryDigest } from '../../src/live-save/testing/memory-digest.ts';
import type { Machine } from '../../src/machine/machine.ts';
import type { GuestMemory } from '../../src/pgm/guest-memory.ts';
import { HostBacking } from '../../src/pgm/pages/host-backing.ts';
import { RomProtection } from '../../src/pgm/pages/page-states.ts';
import { PageSharing } from '../../src/pgm/sharing/page-sharing.ts';
import { emptyMachine } from '../../src/running/empty-machine.ts';
import { mix } from '../../src/running/pattern.ts';
import { RunningMachine } from '../../src/running/running-machine.ts';
import { PageHashes } from '../machine/page-hashes.ts';
import { PageSet } from '../machine/page-set.ts';
import { PageSpace } from '../machine/page-space.ts';
import { MemoryHasher } from '../proof/memory-hasher.ts';
import type { MigrationReport } from '../report/report.ts';
import type { MigrateOptions } from '../source/options.ts';
import { Pair } from '../testing/pair.ts';
import type { ArrivingMachine } from './arriving-machine.ts';
import { DepartingMachine } from './departing-machine.ts';
import { MachineHost } from './machine-host.ts';

const PAGES = 2000;

/**
 * Migrates a machine without a guest. `meddle` changes it after each round, and for the last time just before it stands
 * still; `onTakeDirty` does so each time before it is asked for dirty pages while it runs.
 */
async function migrateMeddled(
  machine: Machine,
  meddle: (round: number) => void,
  { onTakeDirty, ...options }: Partial<MigrateOptions> & { onTakeDirty?: () => void } = {},
): Promise<{ report: MigrationReport; arrived: Machine }> {
  const pair = await Pair.create({ host: new MachineHost({ runs: false }) });
  Object.assign(pair.limits, { maxDowntimeMs: 0.01, timeLimitMs: 100, onTimeLimit: 'force' });
  const departing = new DepartingMachine('test', machine);
  const pause = departing.pause.bind(departing);
  const takeDirty = departing.takeDirty.bind(departing);
  let rounds = 0;
  let isStopped = false;
  departing.takeDirty = async (into) => {
    if (!isStopped) onTakeDirty?.();
    await takeDirty(into);
  };
  departing.pause = async () => {
    meddle(rounds++);
    isStopped = true;
    await pause();
  };
  const report = await pair.migrate(departing, {
    ...options,
    onEvent: (event) => {
      if (event.event === 'round' && !event.report.paused) meddle(rounds++);
    },
  });
  return { report, arrived: ((await pair.receiver.arrived) as ArrivingMachine).machine };
}

/** Expects that nothing differed at the seal, and that the target has all as it is here. */
function expectSame({ report, arrived }: { report: MigrationReport; arrived: Machine }, memory: GuestMemory): void {
  expect(report).toMatchObject({ because: '', outcome: 'handed-over', proof: { lostPages: 0 } });
  expect(memoryDigest(arrived.memory)).toBe(memoryDigest(memory));
}

function fill(memory: GuestMemory): void {
  for (let page = 0; page < PAGES; page++) memory.write(MIB + page * PAGE_SIZE, Uint8Array.of(1 + (page % 5)));
}

describe('nothing is lost of a machine', () => {
  it('that is ballooned and takes pages back meanwhile', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { memory } = machine;
    fill(memory);
    const result = await migrateMeddled(machine, (round) => {
      for (let i = 0; i < 50; i++) {
        const gcPhys = MIB + (mix(round, i) % PAGES) * PAGE_SIZE;
        const range = memory.ranges.get(gcPhys);
        const page = range.pageOf(gcPhys);
        memory.pages.apply(range.pageId[page] === 0 ? 'deflate' : 'balloon', range, page);
        memory.pages.flush();
      }
    });
    expect(memory.pages.counts.ballooned).toBeGreaterThan(0);
    expectSame(result, memory);
  });

  it('whose memory is full, and whose balloon wanders through it meanwhile', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { memory } = machine;
    const all = (15 * MIB) / PAGE_SIZE;
    const addresses = (first: number) =>
      Array.from({ length: 300 }, (_, i) => MIB + ((first * 300 + i) % all) * PAGE_SIZE);
    for (let page = 0; page < all; page++) memory.write(MIB + page * PAGE_SIZE, Uint8Array.of(1 + (page % 5)));
    memory.balloon.inflate(addresses(0));
    const result = await migrateMeddled(machine, (round) => {
      memory.balloon.deflate(addresses(round));
      for (const gcPhys of addresses(round)) memory.write(gcPhys, Uint8Array.of(round + 1, 1));
      memory.balloon.inflate(addresses(round + 1));
    });
    expect(memory.balloon.size).toBe(300);
    expectSame(result, memory);
  });

  it('that is reset meanwhile', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { memory } = machine;
    const [rom] = memory.roms.all;
    const result = await migrateMeddled(machine, (round) => {
      for (const [i, address] of [MIB, 2 * MIB, 15 * MIB].entries()) memory.write(address, Uint8Array.of(round, i, 1));
      memory.roms.protect(rom.start, PAGE_SIZE, RomProtection.READ_ROM_WRITE_RAM);
      memory.write(rom.start, Uint8Array.of(round, 7), 'device');
      if (round % 2 === 1) machine.reset();
      else fill(memory);
    });
    expectSame(result, memory);
  });

  it('whose ROM gets other protections, and writes to its shadow, meanwhile', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { memory } = machine;
    const [rom] = memory.roms.all;
    const result = await migrateMeddled(machine, (round) => {
      const address = (i: number) => rom.start + (mix(round, i) % rom.pages) * PAGE_SIZE;
      memory.roms.protect(address(0), PAGE_SIZE, 1 + (round % 4));
      memory.roms.protect(address(1), PAGE_SIZE, RomProtection.READ_RAM_WRITE_RAM);
      memory.write(address(1), Uint8Array.of(round, 1), 'device');
    });
    expectSame(result, memory);
  });

  it('whose video memory is written by pointer, up to the last moment', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { memory } = machine;
    const [{ pageId }] = memory.mmio2.all;
    const result = await migrateMeddled(machine, (round) => {
      for (let i = 0; i < 10; i++) {
        const id = pageId[mix(round, i) % pageId.length];
        // One half only, and back to zeros now and then: what checksums of halves may overlook.
        memory.pages.backing.chunkBytes(id)[offsetInChunk(id) + (i % 2) * 2048] = i < 3 ? 0 : round + i;
      }
    });
    expectSame(result, memory);
  });

  it('that is written to whenever it gets a turn, and audited meanwhile: what was noted is not lost, however hot', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { memory } = machine;
    const [rom] = memory.roms.all;
    const [{ pageId }] = memory.mmio2.all;
    memory.roms.protect(rom.start, PAGE_SIZE, RomProtection.READ_RAM_WRITE_RAM);
    let turns = 0;
    const write = () => {
      turns++;
      for (let page = 0; page < 20; page++) {
        memory.pages.backing.chunkBytes(pageId[page])[offsetInChunk(pageId[page]) + 8] = turns;
        memory.write(MIB + page * PAGE_SIZE, Uint8Array.of(turns, 1));
      }
      memory.write(rom.start, Uint8Array.of(turns, 1), 'device');
    };
    const result = await migrateMeddled(machine, write, { proof: 'audited', onTakeDirty: write });
    expect(turns).toBeGreaterThan(5);
    expectSame(result, memory);
  });

  it('whose device writes back what was seen of its memory, after something else was sent', async () => {
    const machine = await emptyMachine(16 * MIB);
    const { backing } = machine.memory.pages;
    const id = machine.memory.mmio2.all[0].pageId[5];
    const put = (value: number) => {
      backing.chunkBytes(id)[offsetInChunk(id)] = value;
    };
    const departing = new DepartingMachine('test', machine);
    const space = new PageSpace(departing.description.regions);
    const page = space.startOf(space.regions.findIndex(({ kind }) => kind === 'mmio2')) + 5;
    const sent = new PageHashes(space.pageCount);
    departing.startTracking(sent);
    for (let pass = 0; pass < 20; pass++) {
      put(1);
      const named = new PageSet(space.pageCount);
      await departing.takeDirty(named);
      put(2);
      new MemoryHasher(departing).refreshSome(sent, named);
    }
    put(1);
    await departing.pause();
    const last = new PageSet(space.pageCount);
    await departing.takeDirty(last);
    expect(last.has(page)).toBe(true);
    departing.stopTracking();
  });

  it('whose pages are shared with another one, and cease to be, meanwhile', async () => {
    const host = new HostMemory({});
    const [machine, other] = [
      await emptyMachine(16 * MIB, { backing: new HostBacking(host) }),
      await emptyMachine(16 * MIB, { backing: new HostBacking(host) }),
    ];
    const { memory } = machine;
    fill(memory);
    fill(other.memory);
    const sharing = new PageSharing(host);
    sharing.add(memory);
    sharing.add(other.memory);
    sharing.scanAll();
    sharing.scanAll();
    const result = await migrateMeddled(machine, (round) => {
      sharing.scanAll();
      for (let i = 0; i < 40; i++) memory.write(MIB + (mix(round, i) % PAGES) * PAGE_SIZE + 8, Uint8Array.of(round));
    });
    expect(memory.pages.counts.shared).toBeGreaterThan(0);
    expectSame(result, memory);
    host.close();
  });

  it('that goes there and back again, and again', async () => {
    let running = RunningMachine.of(await emptyMachine(16 * MIB), { kind: 'device', rate: 5000 });
    running.runSteps(1000);
    running.resume();
    for (let trip = 0; trip < 5; trip++) {
      const pair = await Pair.create({ host: new MachineHost() });
      const report = await pair.migrate(new DepartingMachine('test', running.machine, running));
      expect(report).toMatchObject({ because: '', outcome: 'handed-over', proof: { lostPages: 0 } });
      const next = ((await pair.receiver.arrived) as ArrivingMachine).running as RunningMachine;
      const { steps, ticks } = running.guest.block;
      expect([next.guest.block.steps - next.figures.steps, next.guest.block.ticks - next.figures.ticks]).toEqual([
        steps,
        ticks,
      ]);
      expect(next.selfCheck().faults).toEqual([]);
      running = next;
    }
    running.stop();
  });
});
