import { describe, expect, it } from 'vitest';
import { Pair } from './testing/pair.ts';
import { PlainMachine } from './testing/plain-machine.ts';

/** A machine with pages of all kinds: zeros, text, noise, copies. */
function mixedMachine(pages = 2000): PlainMachine {
  const machine = new PlainMachine(pages);
  let seed = 1;
  for (let page = 0; page < pages; page++) {
    const kind = page % 5;
    for (let i = 0; i < 4096 && kind !== 0; i++) {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      machine.memory[page * 4096 + i] = kind === 1 ? 65 + (i % 7) : kind === 2 ? seed >>> 24 : kind === 3 ? 97 + ((seed >>> 20) % 3) : page & 7;
    }
  }
  return machine;
}

describe('a migration', () => {
  it('moves an idle machine: memory byte-identical, running at the target only', async () => {
    const pair = await Pair.create();
    const machine = mixedMachine();
    machine.ticks = 42;
    const report = await pair.migrate(machine);
    expect(report.because).toBe('');
    expect(report.outcome).toBe('handed-over');
    const arrived = (await pair.receiver.arrived) as PlainMachine;
    expect(Buffer.compare(arrived.memory, machine.memory)).toBe(0);
    expect(arrived).toMatchObject({ isRunning: true, ticks: 42 });
    expect(machine).toMatchObject({ isRunning: false, isReleased: true });
    expect(pair.sourceLog.written).toEqual(['migrating', 'handed-over', 'done']);
    expect(pair.targetLog.written).toEqual(['receiving', 'ready', 'started']);
  });
});
