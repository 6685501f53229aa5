import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildPgm } from '../testing/pgm-builder.ts';
import { fullExample } from '../testing/pgm-examples.ts';
import { emptyMachine, type Machine, PAGE } from '../testing/pgm-machine.ts';
import { expectedMemory } from '../testing/pgm-memory.ts';
import { readPgm } from '../testing/pgm-reading.ts';
import { type Cut, cutCompressed, cutRaw, rawRecord, stateV2 } from '../testing/pgm-states.ts';
import { stateV1 } from '../testing/pgm-states-v1.ts';
import { PGM_VERSIONS } from './versions.ts';

// Boundaries of container records carry no meaning: however a payload is cut, the same pages come out.

/** Version 6 has a whole MiB in its example, which 1-byte records would make slow. */
const versions = PGM_VERSIONS.map(({ version }) => version).filter((version) => version > 6);

const CUTS: [string, Cut][] = [
  ['1 byte', cutRaw(1)],
  ['7 bytes', cutRaw(7)],
  ['4095 bytes', cutRaw(4095)],
  ['4 KiB', cutRaw(4096)],
  ['4097 bytes', cutRaw(4097)],
  ['32 KiB', cutRaw(32768)],
  ['more than 64 KiB', cutRaw(70_000)],
  ['1 KiB compressed', cutCompressed(1)],
  ['3 KiB compressed', cutCompressed(3)],
  ['4 KiB compressed', cutCompressed(4)],
  [
    '1 KiB with empty ones between',
    (payload) => cutRaw(1024)(payload).flatMap((record) => [rawRecord(new Uint8Array(0)), record]),
  ],
];

describe.each(CUTS)('a payload in records of %s', (_, cut) => {
  it.each(versions)('gives the pages of version %i', async (version) => {
    const machine = fullExample(version);
    const { memory } = await readPgm(stateV2([{ version, payload: buildPgm(machine, version) }], { cut }));
    expect(memory).toEqual(expectedMemory(machine, version));
  });
});

/** More pages than a batch has places, and than it has for pages that are put together. */
function manyPages(count: number): Machine {
  const ram = new Map<number, Uint8Array | 'zero'>();
  for (let i = 0; i < count; i++) ram.set(i * PAGE, i % 5 === 0 ? 'zero' : new Uint8Array(PAGE).fill(i));
  return emptyMachine({ ramSize: count * PAGE, ram });
}

const WITH_RAM_IN_LOW_HOLE: [number, number] = [5, 2];

describe('a payload of many pages', () => {
  const count = 150;
  it.each([9, 14])('of version %i reads alike however it is cut', async (version) => {
    const machine = manyPages(count);
    const payload = buildPgm(machine, version);
    const expected = expectedMemory(machine, version);
    for (const [name, cut] of CUTS.slice(1)) {
      expect((await readPgm(stateV2([{ version, payload }], { cut }))).memory, name).toEqual(expected);
    }
  });

  it('of version 6 reads alike however it is cut', async () => {
    const machine = { ...manyPages(count), ramSize: 0x100000 };
    const payload = buildPgm(machine, 6);
    for (const [name, cut] of CUTS.slice(2)) {
      expect((await readPgm(stateV2([{ version: 6, payload }], { cut }))).memory, name).toEqual(
        expectedMemory(machine, 6),
      );
    }
  });

  it.each([6, 7, 9, 10, 14])('of version %i reads alike from blocks of V1.2 of any size', async (version) => {
    const machine = version === 6 ? { ...manyPages(count), ramSize: 0x100000 } : manyPages(count);
    const payload = buildPgm(machine, version);
    for (const blocks of ['store', 1024, 4096, 5000, 32768] as const) {
      expect((await readPgm(stateV1('1.2', [{ version, payload }], { blocks }))).memory).toEqual(
        expectedMemory(machine, version),
      );
    }
  });

  it('of more than a batch reads whole', async () => {
    const machine = manyPages(3000);
    const { memory } = await readPgm(
      stateV2([{ version: 14, payload: buildPgm(machine, 14) }], {
        cut: cutCompressed(4),
        release: WITH_RAM_IN_LOW_HOLE,
      }),
    );
    expect(memory).toEqual(expectedMemory(machine, 14));
  });
});

describe('any sequence of record sizes', () => {
  it.each(versions)('gives the pages of version %i', async (version) => {
    const machine = fullExample(version);
    const payload = buildPgm(machine, version);
    const expected = expectedMemory(machine, version);
    const size = fc.oneof(
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom(1024, 4096),
      fc.integer({ min: 41, max: 9000 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 30 }), async (sizes) => {
        expect((await readPgm(stateV2([{ version, payload }], { cut: cutInTurn(sizes) }))).memory).toEqual(expected);
      }),
      { numRuns: 25 },
    );
  });
});

function cutInTurn(sizes: number[]): Cut {
  return (payload) => {
    const records: Uint8Array[] = [];
    for (let at = 0, i = 0; at < payload.length; i++) {
      const size = sizes[i % sizes.length];
      records.push(rawRecord(payload.subarray(at, at + size)));
      at += size;
    }
    return records;
  };
}
