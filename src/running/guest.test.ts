import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FOUR_GIB, MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import type { Machine } from '../machine/machine.ts';
import { GuestMemory } from '../pgm/guest-memory.ts';
import { PageState } from '../pgm/pages/page-states.ts';
import { addressInArea, controlAddress } from './area.ts';
import { CONTROL_SIZE, writeControl } from './control-block.ts';
import { emptyMachine } from './empty-machine.ts';
import { Guest } from './guest.ts';
import { lastSteps, NOWHERE, scheduleOf, UNTOUCHED, WORKLOAD_KINDS, type WorkloadKind } from './schedule.ts';
import type { WorkloadOptions } from './workload.ts';

const TRACE = { places: Uint32Array.of(3, 1, NOWHERE, 4, NOWHERE, 1, 5, 9, NOWHERE), intervalMs: 10 };

function smallMemory(): GuestMemory {
  const memory = new GuestMemory();
  memory.registerRam(0, 2 * MIB, 'Base RAM');
  memory.registerRam(FOUR_GIB, 40 * PAGE_SIZE, 'Above 4GB Base RAM');
  return memory;
}

function optionsOf(kind: WorkloadKind): WorkloadOptions {
  return { kind, seed: 7, pages: 20, ...(kind === 'trace' ? { trace: TRACE } : {}) };
}

async function machineFor(kind: WorkloadKind): Promise<Pick<Machine, 'memory' | 'cpus'>> {
  return kind === 'device' || kind === 'paging'
    ? emptyMachine(2 * MIB, { cpus: 2 })
    : { memory: smallMemory(), cpus: [] };
}

describe('Guest', () => {
  it.each(WORKLOAD_KINDS)('%s: finds its memory as it left it, and continues from memory alone', async (kind) => {
    const { memory, cpus } = await machineFor(kind);
    const first = Guest.install(memory, optionsOf(kind), cpus);
    for (let i = 0; i < 30; i++) first.tick(23);
    expect(first.check()).toMatchObject({ steps: 690, ticks: 30, faults: [] });
    const second = Guest.find(memory, cpus);
    expect(second?.kind).toBe(kind);
    second?.tick(50);
    expect(second?.check()).toMatchObject({ steps: 740, ticks: 31, faults: [] });
    if (kind !== 'idle') expect(second?.check().pages).toBeGreaterThan(0);
    // The first guest does not know of that tick, so for it the memory is not as it has left it.
    expect(first.check().faults).not.toEqual([]);
  });

  it.each(WORKLOAD_KINDS.filter((kind) => kind !== 'idle'))(
    '%s: notices each page that goes back to what it was',
    async (kind) => {
      const { memory, cpus } = await machineFor(kind);
      const guest = Guest.install(memory, optionsOf(kind), cpus);
      guest.tick(100);
      const place = guest.schedule.placeOf(98) === NOWHERE ? guest.schedule.placeOf(99) : guest.schedule.placeOf(98);
      const before = new Uint8Array(guest.block.patternSize);
      guest.places.read(place, before);
      for (let step = 100; step < 20_000; step++) {
        guest.tick(1);
        if (guest.schedule.placeOf(step) === place && !guest.schedule.frees(step)) break;
      }
      expect(guest.check().faults).toEqual([]);
      guest.places.write(place, before);
      expect(guest.check().faults).toMatchObject([{ place }]);
    },
  );

  it('notices a control block that goes back, as after a lost write', () => {
    const memory = smallMemory();
    const guest = Guest.install(memory, { kind: 'scan' });
    guest.tick(3);
    const before = new Uint8Array(CONTROL_SIZE);
    memory.read(controlAddress(memory), before);
    guest.tick(3);
    memory.write(controlAddress(memory), before);
    guest.tick(1);
    expect(guest.faults).toMatchObject([
      { what: 'control block', expected: 'tick 2, step 6', found: 'tick 1, step 3' },
    ]);
  });

  it('finds nothing in memory that holds no workload', () => {
    expect(Guest.find(smallMemory())).toBeUndefined();
  });

  it('gives pages to the balloon and takes them back', () => {
    const memory = smallMemory();
    const guest = Guest.install(memory, { kind: 'alloc' });
    const { places } = guest.block;
    guest.tick(2 * places + 10);
    expect(memory.pages.counts.ballooned).toBe(Math.ceil(places / 2));
    const ballooned = [...memory.ranges]
      .flatMap((range) => [...range.state])
      .filter((state) => state === PageState.BALLOONED).length;
    expect(ballooned).toBe(memory.pages.counts.ballooned);
    expect(guest.check().faults).toEqual([]);
  });

  it('uses memory from 4 GiB on, too', () => {
    const memory = smallMemory();
    const guest = Guest.install(memory, { kind: 'scan' });
    expect(guest.block).toMatchObject({ lowStart: MIB, lowPages: 255, highPages: 40 });
    expect(addressInArea(guest.block, 255)).toBe(FOUR_GIB);
    guest.tick(295);
    expect(memory.readU32(FOUR_GIB + 39 * PAGE_SIZE)).toBe(294);
  });

  it.each([
    [{ kind: 'scan', patternSize: 6 }],
    [{ kind: 'scan', patternSize: 8192 }],
    [{ kind: 'scan', rate: 0 }],
    [{ kind: 'scan', rate: Number.NaN }],
    [{ kind: 'trace' }],
    [{ kind: 'scan', trace: TRACE }],
    [{ kind: 'trace', trace: { places: Uint32Array.of(100_000, NOWHERE), intervalMs: 1 } }],
    [{ kind: 'device' }],
    [{ kind: 'paging' }],
    [{ kind: 'scan', size: 100 }],
  ] as [WorkloadOptions][])('refuses %j', (options) => {
    expect(() => Guest.install(smallMemory(), options)).toThrow(expect.objectContaining({ code: 'bad-workload' }));
  });

  it('takes any control block in memory as a value or a bad workload', () => {
    const fields = fc.record({
      kind: fc.nat(9),
      seed: fc.nat(),
      patternSize: fc.nat(5000),
      rate: fc.nat(5),
      places: fc.oneof(fc.nat(400), fc.nat()),
      steps: fc.oneof(fc.nat(1000), fc.constant(2 ** 60)),
      ticks: fc.nat(),
      lowStart: fc.constantFrom(0, MIB, MIB + 1, FOUR_GIB, 2 ** 60),
      lowPages: fc.oneof(fc.nat(300), fc.constant(0xffffffff)),
      highPages: fc.oneof(fc.nat(50), fc.constant(0xffffffff)),
      traceStart: fc.constantFrom(0, MIB, 2 ** 50),
      traceLength: fc.oneof(fc.nat(20), fc.constant(0xffffffff)),
      intervalMs: fc.nat(3),
    });
    const control = new Uint8Array(CONTROL_SIZE);
    fc.assert(
      fc.property(fields, (block) => {
        const memory = smallMemory();
        writeControl(block, control);
        memory.write(controlAddress(memory), control);
        try {
          Guest.find(memory)?.tick(10);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-workload' });
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('schedules', () => {
  it('know the last step at each place without going through all steps', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...WORKLOAD_KINDS),
        fc.integer({ min: 2, max: 40 }),
        fc.nat(500),
        fc.nat(),
        (kind, places, steps, seed) => {
          const trace = Uint32Array.from({ length: 17 }, (_, i) => (i % 4 === 3 ? NOWHERE : (i * 7) % places));
          const schedule = scheduleOf(kind, seed, places, trace);
          const expected = new Float64Array(schedule.places).fill(UNTOUCHED);
          for (let step = 0; step < steps; step++)
            if (schedule.placeOf(step) !== NOWHERE) expected[schedule.placeOf(step)] = step;
          expect(lastSteps(schedule, steps)).toEqual(expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('never free a page that is not in use, nor keep more than half of them', () => {
    const schedule = scheduleOf('alloc', 1, 11);
    const inUse = new Set<number>();
    for (let step = 0; step < 1000; step++) {
      const place = schedule.placeOf(step);
      if (schedule.frees(step)) inUse.delete(place);
      else {
        expect(inUse.has(place)).toBe(false);
        inUse.add(place);
      }
      expect(inUse.size).toBeLessThanOrEqual(6);
    }
  });
});
