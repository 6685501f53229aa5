import { describe, expect, test } from 'vitest';
import { AddressSpace } from './address-space.ts';
import { PageFault } from './page-fault.ts';
import { FlatMemory } from './testing/flat-memory.ts';
import { type NaiveMachine, naiveAccess } from './testing/naive-walk.ts';
import { fillTables, Random, randomAddress, randomRegisters, type TableKind, tamePointers, writeEntry } from './testing/random-tables.ts';

const MEMORY_PAGES = 32;
const KINDS: TableKind[] = ['32-bit', 'pae', 'long'];

function compareWithNaive(seed: number, kind: TableKind, accesses: number): { mapped: number; faults: Set<number> } {
  const random = new Random(seed);
  const memory = new FlatMemory(new Uint8Array(MEMORY_PAGES * 4096));
  fillTables(random, memory, kind);
  const registers = randomRegisters(random, kind);
  if (kind === 'pae') tamePointers(random, memory, registers.cr3);
  const physicalBits = random.pick([32, 36, 40, 48, 52]);
  const twin = memory.bytes.slice();
  const root = Number(registers.cr3);
  const view = new DataView(twin.buffer);
  const pdptes = kind === 'pae' ? Array.from({ length: 4 }, (_, i) => view.getBigUint64((root & ~31) + 8 * i, true)) : undefined;
  const naive: NaiveMachine = { bytes: twin, ...registers, physicalBits, ...(pdptes ? { pdptes } : {}) };
  const space = new AddressSpace(memory, registers, { physicalBits });
  let mapped = 0;
  const faults = new Set<number>();
  for (let i = 0; i < accesses; i++) {
    const address = randomAddress(random, kind);
    const kindOfAccess = { write: random.chance(40), user: random.chance(50), fetch: random.chance(20) };
    const access = (kindOfAccess.write ? PageFault.WRITE : 0) | (kindOfAccess.user ? PageFault.USER : 0) | (kindOfAccess.fetch ? PageFault.FETCH : 0);
    const truth = naiveAccess(naive, address, kindOfAccess);
    const got = space.access(address, access);
    expect(got, `${kind} seed ${seed} address ${address.toString(16)} access ${access}`).toEqual(
      'fault' in truth ? { fault: truth.fault } : { gcPhys: Number(truth.gcPhys) },
    );
    if ('fault' in truth) faults.add(truth.fault);
    else mapped++;
    const seen = space.translate(address);
    const quiet = naiveAccess(naive, address, { write: false, user: false, fetch: false }, true);
    if ('fault' in quiet) expect(seen.status).not.toBe('mapped');
    else {
      expect(seen).toMatchObject({ status: 'mapped', gcPhys: Number(quiet.gcPhys), pageSize: Number(quiet.pageSize), writable: quiet.w, user: quiet.u });
      expect(seen).toMatchObject({ executable: quiet.x });
    }
  }
  expect(Buffer.compare(memory.bytes, twin), `accessed and dirty bits, ${kind} seed ${seed}`).toBe(0);
  return { mapped, faults };
}

describe('walks of random tables agree with a second, naive walk', () => {
  test.each(KINDS)('%s: addresses, rights, fault codes, accessed and dirty bits', (kind) => {
    let mapped = 0;
    const faults = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const outcome = compareWithNaive(seed, kind, 60);
      mapped += outcome.mapped;
      for (const fault of outcome.faults) faults.add(fault);
    }
    // The tables are not so random that nothing is left to compare.
    expect(mapped).toBeGreaterThan(100);
    expect(faults.size).toBeGreaterThan(8);
  });
});

describe('where walks end', () => {
  const long = { cr0: 0x80010001n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };

  function space(entries: [number, bigint][], registers = long, holes: [number, number][] = []): AddressSpace {
    const memory = new FlatMemory(new Uint8Array(0x10000));
    memory.holes.push(...holes);
    for (const [at, entry] of entries) writeEntry(memory, at, 8, entry);
    return new AddressSpace(memory, registers);
  }

  test('a root in no memory is level 4 in long mode, 8 elsewhere', () => {
    expect(space([], { ...long, cr3: 0x100000n }).translate(0n)).toMatchObject({ status: 'bad-address', level: 4 });
    expect(space([], { ...long, cr3: 0x100000n, efer: 0n }).translate(0n)).toMatchObject({ status: 'bad-address', level: 8 });
    expect(space([], { ...long, cr3: 0x100000n, efer: 0n, cr4: 0n }).translate(0n)).toMatchObject({ status: 'bad-address', level: 8 });
  });

  test('a table in a hole ends the walk at its level', () => {
    const walked = space(
      [
        [0x1000, 0x2003n],
        [0x2000, 0x3003n],
      ],
      long,
      [[0x3000, 0x4000]],
    );
    expect(walked.translate(0n)).toMatchObject({ status: 'bad-address', level: 2 });
    expect(walked.access(0n, PageFault.USER)).toEqual({ fault: PageFault.USER | PageFault.RESERVED | PageFault.PRESENT });
  });

  test('an entry that is not present is not asked for reserved bits', () => {
    expect(space([[0x1000, 0x80n]]).translate(0n)).toMatchObject({ status: 'not-present', level: 4 });
    expect(space([[0x1000, 0x81n]]).translate(0n)).toMatchObject({ status: 'reserved-bit', level: 4 });
  });

  test('addresses that are not canonical lead nowhere in long mode', () => {
    expect(space([[0x1000, 0x1003n]]).translate(0x0000_8000_0000_0000n)).toMatchObject({ status: 'not-canonical' });
    expect(space([[0x1000, 0x1003n]]).translate(0xffff_0000_0000_0000n)).toMatchObject({ status: 'not-canonical' });
  });

  test('legacy PAE uses the pointers as of the CR3 load, whatever memory holds later', () => {
    const memory = new FlatMemory(new Uint8Array(0x10000));
    writeEntry(memory, 0x1000, 8, 0x2001n);
    writeEntry(memory, 0x2000, 8, 0x83n);
    const pae = new AddressSpace(memory, { ...long, efer: 0n });
    writeEntry(memory, 0x1000, 8, 0n);
    expect(pae.translate(0x1234n)).toMatchObject({ status: 'mapped', gcPhys: 0x1234, pageSize: 0x200000 });
    const given = new AddressSpace(memory, { ...long, efer: 0n }, { pdptes: [0n, 0x2001n, 0n, 0n] });
    expect(given.translate(0x4000_0000n)).toMatchObject({ status: 'mapped', gcPhys: 0 });
    expect(given.translate(0n)).toMatchObject({ status: 'not-present', level: 3 });
  });

  test('PSE-36 gives 4 MiB pages eight more address bits, and without it they must be zero', () => {
    const memory = new FlatMemory(new Uint8Array(0x10000));
    writeEntry(memory, 0x1000, 4, 0x0001_e083n);
    const registers = { ...long, cr4: 0x10n, efer: 0n };
    const features = { pse: true, pae: true, pge: true, pse36: true, nx: true, gigabytePages: true, longMode: true };
    expect(new AddressSpace(memory, registers, { features }).translate(5n)).toMatchObject({ status: 'mapped', gcPhys: 0xf_0000_0005 });
    expect(new AddressSpace(memory, registers, { features: { ...features, pse36: false } }).translate(5n)).toMatchObject({ status: 'reserved-bit', level: 2 });
  });

  test('without 1 GiB pages in CPUID their bit is reserved', () => {
    const memory = new FlatMemory(new Uint8Array(0x10000));
    writeEntry(memory, 0x1000, 8, 0x2003n);
    writeEntry(memory, 0x2000, 8, 0x4000_0083n);
    const features = { pse: true, pae: true, pge: true, pse36: true, nx: true, gigabytePages: false, longMode: true };
    expect(new AddressSpace(memory, long, { features }).translate(0n)).toMatchObject({ status: 'reserved-bit', level: 3 });
    expect(new AddressSpace(memory, long).translate(0x123n)).toMatchObject({ status: 'mapped', gcPhys: 0x4000_0123, pageSize: 2 ** 30 });
  });

  test('without paging addresses are physical, and A20 off clears bit 20', () => {
    const memory = new FlatMemory(new Uint8Array(0x1000));
    const real = new AddressSpace(memory, { cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n }, { a20Enabled: false });
    expect(real.translate(0x10_0123n)).toMatchObject({ status: 'mapped', gcPhys: 0x123, writable: true });
    expect(real.translate(1n << 32n)).toMatchObject({ status: 'not-present' });
  });
});
