import { describe, expect, it } from 'vitest';
import { buildPgm } from '../testing/pgm-builder.ts';
import { PgmBytes } from '../testing/pgm-bytes.ts';
import { emptyMachine, type Machine, PAGE } from '../testing/pgm-machine.ts';
import { expectedMemory } from '../testing/pgm-memory.ts';
import { readPgm } from '../testing/pgm-reading.ts';
import { cutRaw, stateV2 } from '../testing/pgm-states.ts';

// Pages that are put together from pieces fill a batch early. Contents of which no record is made must not do so: a
// batch that is full and empty would be waited for without end.

function machineWithMmioFrom(start: number): Machine {
  const ram = new Map<number, Uint8Array>();
  for (let address = 0; address < start; address += PAGE) ram.set(address, new Uint8Array(PAGE).fill(address >> 12));
  return emptyMachine({ ramSize: 0x100000, ram });
}

describe('contents of pages that hold no memory', () => {
  it.each([0, 0x1000, 0x20000, 0xa0000])(
    'are dropped in version 6, where all pages from %i on are MMIO',
    async (start) => {
      const machine = machineWithMmioFrom(start === 0 ? 0x1000 : start);
      const { memory } = await readPgm(stateV2([{ version: 6, payload: buildPgm(machine, 6) }], { cut: cutRaw(1000) }));
      expect(memory).toEqual(expectedMemory(machine, 6));
    },
  );

  it.each([7, 8, 9])('are dropped in version %i', async (version) => {
    const count = 300;
    const head = new PgmBytes().raw(buildPgm(emptyMachine(), version).slice(0, -4));
    head
      .u32(0)
      .u64(0)
      .u64(count * PAGE - 1)
      .u64(count * PAGE)
      .u8(0)
      .text('MMIO');
    for (let i = 0; i < count; i++) head.u8(6).u8(1).raw(new Uint8Array(PAGE).fill(i));
    const payload = head.u32(0xffffffff).done();
    const { memory, records } = await readPgm(stateV2([{ version, payload }], { cut: cutRaw(1000) }));
    expect(memory.size).toBe(0);
    expect(records.every((number) => number === 0)).toBe(true);
  });
});
