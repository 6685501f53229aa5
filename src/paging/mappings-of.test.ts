import { describe, expect, test } from 'vitest';
import { openFile } from '../../formats/binary/source.ts';
import { extract } from '../saved-state/extract.ts';
import { inspect } from '../saved-state/inspect.ts';
import { MemoryTarget, type Sample, STATES_FOLDER, samplesIn, sha256 } from '../testing/states.ts';
import { AddressSpace } from './address-space.ts';
import { findBytes } from './find-bytes.ts';
import { mappingsOf, virtualAddressesOf } from './mappings-of.ts';
import { FlatMemory } from './testing/flat-memory.ts';
import { naiveAccess } from './testing/naive-walk.ts';
import { fillTables, Random, randomRegisters, type TableKind, tamePointers, writeEntry } from './testing/random-tables.ts';
import { runsText } from './testing/runs-text.ts';

interface PagingTruth {
  translation: { cpu: number; runs: number; sha256: string; list: string[][] }[];
  patterns: { space: string; cpu?: number; address: string; size: number; sha256?: string; bytes?: string }[];
}

async function spacesOf({ path, truth }: Sample): Promise<AddressSpace[]> {
  const source = await openFile(path);
  try {
    const { state } = await inspect(source);
    const target = new MemoryTarget();
    await extract(source, target, { asSeen: true, range: { start: 0, end: truth.ram.size } });
    const memory = new FlatMemory(target.bytes);
    return (state.cpum?.cpus ?? []).map((cpu) => new AddressSpace(memory, cpu, { features: state.cpum?.features }));
  } finally {
    await source.close();
  }
}

describe.each(samplesIn(STATES_FOLDER).map((sample) => [sample.name, sample] as const))('%s', (_, sample) => {
  const truth = sample.truth as unknown as PagingTruth;

  test('the whole translation of each CPU is that of the truth file', async () => {
    const spaces = await spacesOf(sample);
    expect(spaces.length).toBe(truth.translation.length);
    for (const { cpu, runs, sha256: hash, list } of truth.translation) {
      const found = mappingsOf(spaces[cpu]);
      expect(found.complete).toBe(true);
      const lines = runsText(found.runs);
      expect(lines.slice(0, list.length).map((line) => line.split(' '))).toEqual(list.map((row) => row.map((cell) => cell.replace(/^0x/, ''))));
      expect(lines.length).toBe(runs);
      expect(sha256(Buffer.from(lines.map((line) => `${line}\n`).join('')))).toBe(hash);
    }
  });

  test('patterns are read, found and written at their virtual addresses', async () => {
    const spaces = await spacesOf(sample);
    let compared = 0;
    for (const { space, cpu = 0, address, size, sha256: hash, bytes } of truth.patterns) {
      if (space !== 'virtual' || !(hash || bytes)) continue;
      const content = new Uint8Array(size);
      spaces[cpu].read(BigInt(address), content);
      if (hash) expect(sha256(content)).toBe(hash);
      if (bytes) expect(Buffer.from(content).toString('hex')).toBe(bytes);
      const pattern = content.subarray(0, Math.min(size, 64));
      expect(findBytes(spaces[cpu], pattern).addresses).toContain(BigInt(address));
      const found = spaces[cpu].translate(BigInt(address));
      expect(found.status === 'mapped' && virtualAddressesOf(spaces[cpu], found.gcPhys)).toContain(BigInt(address));
      spaces[cpu].write(BigInt(address), new Uint8Array(size).fill(0x5a));
      spaces[cpu].read(BigInt(address), content);
      expect(content.every((byte) => byte === 0x5a)).toBe(true);
      compared++;
    }
    expect(compared).toBeGreaterThan(0);
  });
});

test.each(['32-bit', 'pae', 'long'] as TableKind[])('every page of random %s tables is listed, and no other', (kind) => {
  for (let seed = 1; seed <= 6; seed++) {
    const random = new Random(seed * 7919);
    const memory = new FlatMemory(new Uint8Array(32 * 4096));
    fillTables(random, memory, kind);
    const registers = randomRegisters(random, kind);
    if (kind === 'pae') tamePointers(random, memory, registers.cr3);
    const space = new AddressSpace(memory, registers);
    const { runs, complete } = mappingsOf(space, { maxRuns: 5000, maxTables: 1000 });
    const view = new DataView(memory.bytes.buffer);
    const pdptes = Array.from({ length: 4 }, (_, i) => view.getBigUint64((Number(registers.cr3) & ~31) + 8 * i, true));
    const naive = { bytes: memory.bytes, ...registers, physicalBits: 52, pdptes };
    const read = { write: false, user: false, fetch: false };
    const ends = new Set(runs.map((run) => run.virtual + BigInt(run.size)));
    let last = -1n;
    for (const run of runs.slice(0, 250)) {
      expect(run.virtual > last).toBe(true);
      last = run.virtual;
      for (const at of [0n, BigInt(run.size) - 1n]) {
        const truth = { gcPhys: BigInt(run.gcPhys) + at, pageSize: BigInt(run.pageSize), w: run.writable, u: run.user, x: run.executable };
        expect(naiveAccess(naive, run.virtual + at, read, true)).toEqual(truth);
      }
      const before = run.virtual - 1n;
      const mappedBefore = run.virtual > 0n && !('fault' in naiveAccess(naive, before, read, true)) && space.linear(before) !== undefined;
      const neighbour = ends.has(run.virtual);
      expect(neighbour).toBe(mappedBefore);
    }
    if (complete) expect(runs.length).toBeLessThan(5000);
  }
});

describe('hostile tables', () => {
  const long = { cr0: 0x80010001n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };

  test('a table that names itself 512 times is listed up to the limit', () => {
    const memory = new FlatMemory(new Uint8Array(0x2000));
    for (let i = 0; i < 512; i++) writeEntry(memory, 0x1000 + 8 * i, 8, 0x1003n);
    const space = new AddressSpace(memory, long);
    const { runs, complete } = mappingsOf(space, { maxRuns: 5000 });
    expect(runs.length).toBe(5000);
    expect(complete).toBe(false);
    expect(virtualAddressesOf(space, 0x1000, { maxAddresses: 10 }).length).toBe(10);
    expect(findBytes(space, Uint8Array.of(3, 0x10), { maxBytes: 1 << 20, maxHits: 1e9, maxRuns: 5000 }).complete).toBe(false);
  });

  test('tables in no memory, with reserved bits or of the wrong kind map nothing', () => {
    const memory = new FlatMemory(new Uint8Array(0x4000));
    writeEntry(memory, 0x1000, 8, 0xfe_0000_0003n);
    writeEntry(memory, 0x1008, 8, 0x2083n);
    writeEntry(memory, 0x1010, 8, 0x2003n);
    memory.bytes.fill(0xff, 0x2000, 0x3000);
    expect(mappingsOf(new AddressSpace(memory, long, { physicalBits: 40 }))).toEqual({ runs: [], complete: true });
  });

  test('the halves of long mode are not merged', () => {
    const memory = new FlatMemory(new Uint8Array(0x6000));
    writeEntry(memory, 0x1000 + 255 * 8, 8, 0x2003n);
    writeEntry(memory, 0x1000 + 256 * 8, 8, 0x3003n);
    writeEntry(memory, 0x2000 + 511 * 8, 8, 0x83n);
    writeEntry(memory, 0x3000, 8, 0x4000_0083n);
    const { runs } = mappingsOf(new AddressSpace(memory, long));
    expect(runs.map((run) => run.virtual)).toEqual([0x7fff_c000_0000n, 0xffff_8000_0000_0000n]);
  });
});
