import { describe, expect, test } from 'vitest';
import { openFile } from '../../formats/files/source.ts';
import { loadState } from '../machine/load.ts';
import { STATES_FOLDER, samplesIn } from '../testing/states.ts';
import { AddressSpace } from './address-space.ts';
import { findBytes } from './find-bytes.ts';
import { hierarchyOf } from './hierarchy.ts';
import { mappingsOf, virtualAddressesOf } from './mappings-of.ts';
import { compareWithTruth } from './testing/against-truth.ts';
import { FlatMemory } from './testing/flat-memory.ts';
import { naiveAccess } from './testing/naive-walk.ts';
import { randomSpace, type TableKind, writeEntry } from './testing/random-tables.ts';

test.each(samplesIn(STATES_FOLDER).map((sample) => [sample.name, sample] as const))(
  '%s: the whole translation of each CPU and all patterns are those of the truth file, also through shadow tables',
  async (_, { path, truth }) => {
    const source = await openFile(path);
    const { compared, differences } = await compareWithTruth(await loadState(source), truth);
    await source.close();
    expect(differences).toEqual([]);
    expect(compared).toBeGreaterThan(6);
  },
);

test('what is written at a virtual address is read there again, or nothing is written', async () => {
  const memory = new FlatMemory(new Uint8Array(0x8000));
  writeEntry(memory, 0x1000, 4, 0x2003n);
  writeEntry(memory, 0x2000, 4, 0x5001n);
  writeEntry(memory, 0x2004, 4, 0x4001n);
  const space = new AddressSpace(memory, { cr0: 0x80000001n, cr3: 0x1000n, cr4: 0n, efer: 0n });
  const content = Uint8Array.from({ length: 0x1800 }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24);
  space.write(0x400n, content);
  const seen = new Uint8Array(content.length);
  space.read(0x400n, seen);
  expect(seen).toEqual(content);
  expect(memory.bytes[0x4000]).toBe(content[0xc00]);
  expect((await findBytes(space, content.subarray(0xbf0, 0xc10))).addresses).toEqual([0xff0n]);
  const before = memory.bytes.slice();
  expect(() => space.write(0x1fffn, Uint8Array.of(1, 2))).toThrow(expect.objectContaining({ code: 'not-mapped' }));
  expect(memory.bytes).toEqual(before);
});

test.each(['32-bit', 'pae', 'long', 'la57'] as TableKind[])(
  'every page of random %s tables is listed, and no other',
  async (kind) => {
    for (let seed = 1; seed <= 6; seed++) {
      const { memory, registers, space } = randomSpace(seed, kind);
      const { runs, complete } = await mappingsOf(space, { maxRuns: 5000, maxTables: 1000 });
      const view = new DataView(memory.bytes.buffer);
      const pdptes = Array.from({ length: 4 }, (_, i) =>
        view.getBigUint64((Number(registers.cr3) & ~31) + 8 * i, true),
      );
      const naive = { bytes: memory.bytes, ...registers, physicalBits: 52, pdptes };
      const read = { write: false, user: false, fetch: false };
      const ends = new Set(runs.map((run) => run.virtual + BigInt(run.size)));
      let last = -1n;
      for (const run of runs.slice(0, 250)) {
        expect(run.virtual > last).toBe(true);
        last = run.virtual;
        for (const at of [0n, BigInt(run.size) - 1n]) {
          const truth = {
            gcPhys: BigInt(run.gcPhys) + at,
            pageSize: BigInt(run.pageSize),
            w: run.writable,
            u: run.user,
            x: run.executable,
          };
          expect(naiveAccess(naive, run.virtual + at, read, true)).toEqual(truth);
        }
        const before = run.virtual - 1n;
        const mappedBefore =
          run.virtual > 0n &&
          !('fault' in naiveAccess(naive, before, read, true)) &&
          space.linear(before) !== undefined;
        const neighbour = ends.has(run.virtual);
        expect(neighbour).toBe(mappedBefore);
      }
      if (complete) expect(runs.length).toBeLessThan(5000);
    }
  },
);

describe('hostile tables', () => {
  const long = { cr0: 0x80010001n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };

  test('a table that names itself 512 times is listed up to the limit', async () => {
    const memory = new FlatMemory(new Uint8Array(0x2000));
    for (let i = 0; i < 512; i++) writeEntry(memory, 0x1000 + 8 * i, 8, 0x1003n);
    const space = new AddressSpace(memory, long);
    const { runs, complete } = await mappingsOf(space, { maxRuns: 5000 });
    expect(runs.length).toBe(5000);
    expect(complete).toBe(false);
    const limited = await virtualAddressesOf(space, 0x1000, { maxAddresses: 10 });
    expect([limited.addresses.length, limited.complete]).toEqual([10, false]);
    expect(await virtualAddressesOf(space, 0x5000, { maxTables: 1500 })).toEqual({ addresses: [], complete: false });
    await expect(virtualAddressesOf(space, 0x5000, {}, AbortSignal.abort())).rejects.toMatchObject({
      code: 'interrupted',
    });
    const limits = { maxBytes: 1 << 20, maxHits: 1e9, maxRuns: 5000 };
    expect((await findBytes(space, Uint8Array.of(3, 0x10), limits)).complete).toBe(false);
  });

  test('a search ends where tables map 256 TiB without memory, and can be ended before', async () => {
    const memory = new FlatMemory(new Uint8Array(0x400000));
    // Each of 512 tables maps 512 GiB that follow those of the table before.
    for (let i = 0; i < 512; i++) {
      const table = 0x2000 + 0x1000 * i;
      writeEntry(memory, 0x1000 + 8 * i, 8, BigInt(table) | 3n);
      for (let j = 0; j < 512; j++) writeEntry(memory, table + 8 * j, 8, (BigInt(512 * i + j) << 30n) | 0x83n);
    }
    const space = new AddressSpace(memory, long, { physicalBits: 52 });
    const search = findBytes(space, Uint8Array.of(1), { from: 1n << 40n }, AbortSignal.timeout(20));
    await expect(search).rejects.toMatchObject({ code: 'interrupted' });
  });

  test.each(['pages', 'entries'])('lists of their %s can be ended', async (what) => {
    const memory = new FlatMemory(new Uint8Array(0x2000));
    for (let i = 0; i < 512; i++) writeEntry(memory, 0x1000 + 8 * i, 8, 0x1003n);
    const space = new AddressSpace(memory, long);
    const signal = AbortSignal.timeout(20);
    const list =
      what === 'pages' ? mappingsOf(space, { maxRuns: 1e6 }, signal) : hierarchyOf(space, { maxEntries: 1e6 }, signal);
    await expect(list).rejects.toMatchObject({ code: 'interrupted' });
  });

  test('tables in no memory, with reserved bits or of the wrong kind map nothing', async () => {
    const memory = new FlatMemory(new Uint8Array(0x4000));
    writeEntry(memory, 0x1000, 8, 0xfe_0000_0003n);
    writeEntry(memory, 0x1008, 8, 0x2083n);
    writeEntry(memory, 0x1010, 8, 0x2003n);
    memory.bytes.fill(0xff, 0x2000, 0x3000);
    expect(await mappingsOf(new AddressSpace(memory, long, { physicalBits: 40 }))).toEqual({
      runs: [],
      complete: true,
    });
  });

  test('the halves of long mode are not merged', async () => {
    const memory = new FlatMemory(new Uint8Array(0x6000));
    writeEntry(memory, 0x1000 + 255 * 8, 8, 0x2003n);
    writeEntry(memory, 0x1000 + 256 * 8, 8, 0x3003n);
    writeEntry(memory, 0x2000 + 511 * 8, 8, 0x83n);
    writeEntry(memory, 0x3000, 8, 0x4000_0083n);
    const { runs } = await mappingsOf(new AddressSpace(memory, long));
    expect(runs.map((run) => run.virtual)).toEqual([0x7fff_c000_0000n, 0xffff_8000_0000_0000n]);
  });

  test('the halves of five levels are not merged; each byte of the upper half has its own address', async () => {
    const memory = new FlatMemory(new Uint8Array(0x7000));
    writeEntry(memory, 0x6000 + 255 * 8, 8, 0x1003n);
    writeEntry(memory, 0x6000 + 256 * 8, 8, 0x5003n);
    writeEntry(memory, 0x1000 + 511 * 8, 8, 0x2003n);
    writeEntry(memory, 0x2000 + 511 * 8, 8, 0x83n);
    writeEntry(memory, 0x5000, 8, 0x3003n);
    writeEntry(memory, 0x3000, 8, 0x4000_0083n);
    const space = new AddressSpace(memory, { ...long, cr3: 0x6000n, cr4: 0x1020n });
    const { runs } = await mappingsOf(space);
    expect(runs.map((run) => run.virtual)).toEqual([0xff_ffff_c000_0000n, 0xff00_0000_0000_0000n]);
    expect((await virtualAddressesOf(space, 0x4000_0007)).addresses).toEqual([0xff00_0000_0000_0007n]);
  });
});
