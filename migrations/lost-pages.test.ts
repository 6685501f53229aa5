import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EnvironmentError } from '../formats/errors.ts';
import { mixedMachine } from './testing/mixed-machine.ts';
import { Pair } from './testing/pair.ts';
import type { PlainMachine } from './testing/plain-machine.ts';
import { AfterRound } from './wire/frames.ts';
import { readHead } from './wire/payload.ts';

const PAGES = 600;
const nameOf = (page: number) => `RAM page at 0x${(page * 4096).toString(16)}`;

/** Pages in which two memories differ, by name. */
function differences(machine: PlainMachine, other: PlainMachine): string[] {
  const pages = Array.from({ length: PAGES }, (_, page) => page);
  const bytesOf = ({ memory }: PlainMachine, page: number) => memory.subarray(page * 4096, (page + 1) * 4096);
  return pages.filter((page) => Buffer.compare(bytesOf(machine, page), bytesOf(other, page)) !== 0).map(nameOf);
}

/** Loses the write to a page at the last moment before the machine stands still: after the audit. */
function losingAtPause(page: number): PlainMachine {
  const machine = mixedMachine(PAGES);
  const pause = machine.pause.bind(machine);
  machine.pause = async () => {
    machine.writeUnnoticed(page, 5, 99);
    await pause();
  };
  return machine;
}

describe('a write that the tracking loses after the audit', () => {
  it('is found in the memory that stays behind, which is kept before it is given up', async () => {
    const pair = await Pair.create();
    const machine = losingAtPause(77);
    const kept: boolean[] = [];
    const keepAsItWas = async () => {
      kept.push(machine.isReleased);
      return 'vm.sav';
    };
    const report = await pair.migrate(machine, { proof: 'audited', keepAsItWas });
    const found = { lostPages: 1, lost: [nameOf(77)], keptIn: 'vm.sav' };
    expect(report).toMatchObject({
      outcome: 'handed-over',
      proof: { mode: 'audited', lostPages: 0, afterwards: found },
    });
    expect(differences(machine, pair.host.machine as PlainMachine)).toEqual([nameOf(77)]);
    expect([kept, machine.isReleased]).toEqual([[false], true]);
    expect(pair.events.at(-1)).toMatchObject({ event: 'looked-back', found });
  });

  it('is told even where the machine cannot be kept', async () => {
    const pair = await Pair.create();
    const machine = losingAtPause(77);
    const keepAsItWas = async () => Promise.reject(new EnvironmentError('ENOSPC', 'Cannot write vm.sav: no space'));
    const report = await pair.migrate(machine, { proof: 'audited', keepAsItWas });
    expect(report).toMatchObject({
      outcome: 'handed-over',
      because: expect.stringContaining('no space'),
      proof: { afterwards: { lostPages: 1, keptIn: '' } },
    });
    expect(machine.isReleased).toBe(true);
  });

  it('is found before the hand-over by proof full, which needs no look back', async () => {
    const pair = await Pair.create();
    const machine = losingAtPause(77);
    expect(await pair.migrate(machine, { proof: 'full' })).toMatchObject({
      proof: { mode: 'full', lost: [nameOf(77)], afterwards: null },
    });
    expect(differences(machine, pair.host.machine as PlainMachine)).toEqual([]);
  });
});

it('A page that the target does not keep after its audit is named and sent again', async () => {
  const pair = await Pair.create();
  const machine = mixedMachine(PAGES);
  // Writes to the page after the last round of the running machine, so that it is sent while the machine stands still.
  const pause = machine.pause.bind(machine);
  machine.pause = () => {
    machine.write(78, 3, ++machine.ticks);
    return pause();
  };
  let [audited, dropped] = [false, false];
  pair.host.onCreate = (target) => {
    const write = target.writePages.bind(target);
    target.writePages = (pages, count, bytes, at) => {
      const at78 = pages.subarray(0, count).indexOf(78);
      const before = target.memory.slice(78 * 4096, 79 * 4096);
      write(pages, count, bytes, at);
      if (!audited || machine.isRunning || dropped || at78 < 0) return;
      target.memory.set(before, 78 * 4096);
      dropped = true;
    };
  };
  pair.tap = (from, name, frame) => {
    audited ||=
      from === 'source' &&
      name === 'barrier' &&
      readHead({ name, payload: frame.subarray(12) }, 'barrier').head.next === AfterRound.AUDIT;
    return 'pass';
  };
  const report = await pair.migrate(machine, { proof: 'audited' });
  expect(dropped).toBe(true);
  expect(report).toMatchObject({
    because: '',
    outcome: 'handed-over',
    proof: { lost: [nameOf(78)], afterwards: { lostPages: 0 } },
  });
  expect(differences(machine, pair.host.machine as PlainMachine)).toEqual([]);
});

it('No lost write goes unnoticed, whenever it happens and whichever proof there is', async () => {
  const writes = fc.array(
    fc.record({
      when: fc.integer({ min: 1, max: 8 }),
      page: fc.integer({ min: 0, max: PAGES - 2 }),
      value: fc.integer({ min: 1, max: 255 }),
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('full' as const, 'audited' as const), writes, async (proof, lost) => {
      const pair = await Pair.create();
      const machine = mixedMachine(PAGES);
      let calls = 0;
      machine.onTakeDirty = () => {
        calls++;
        machine.write(++machine.ticks % PAGES, 9, machine.ticks);
        for (const { when, page, value } of lost)
          if (when === calls) machine.writeUnnoticed(page, 11, machine.memory[page * 4096 + 11] ^ value);
      };
      const { outcome, proof: proved } = await pair.migrate(machine, { proof });
      expect(outcome).toBe('handed-over');
      const found = proved?.afterwards?.lost ?? [];
      expect(differences(machine, pair.host.machine as PlainMachine)).toEqual(found);
      if (proof === 'full') expect(found).toEqual([]);
    }),
    { numRuns: 25 },
  );
});
