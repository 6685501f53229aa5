import { describe, expect, test } from 'vitest';
import { AddressSpace } from './address-space.ts';
import { PageFault } from './page-fault.ts';
import { compareWalks } from './testing/compare-walks.ts';
import { FlatMemory } from './testing/flat-memory.ts';
import { type TableKind, writeEntry } from './testing/random-tables.ts';

const KINDS: TableKind[] = ['32-bit', 'pae', 'long', 'la57'];

describe('walks of random tables agree with a second, naive walk', () => {
  test.each(KINDS)('%s: addresses, rights, fault codes, accessed and dirty bits', (kind) => {
    let mapped = 0;
    const faults = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const outcome = compareWalks(seed, kind, 60);
      mapped += outcome.mapped;
      for (const fault of outcome.faults) faults.add(fault);
    }
    // The tables are not so random that nothing is left to compare.
    expect(mapped).toBeGreaterThan(40);
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
    expect(space([], { ...long, cr3: 0x100000n, efer: 0n }).translate(0n)).toMatchObject({
      status: 'bad-address',
      level: 8,
    });
    expect(space([], { ...long, cr3: 0x100000n, efer: 0n, cr4: 0n }).translate(0n)).toMatchObject({
      status: 'bad-address',
      level: 8,
    });
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
    expect(walked.access(0n, PageFault.USER)).toEqual({
      fault: PageFault.USER | PageFault.RESERVED | PageFault.PRESENT,
    });
  });

  test('an entry that is not present is not asked for reserved bits', () => {
    expect(space([[0x1000, 0x80n]]).translate(0n)).toMatchObject({ status: 'not-present', level: 4 });
    expect(space([[0x1000, 0x81n]]).translate(0n)).toMatchObject({ status: 'reserved-bit', level: 4 });
  });

  test('addresses that are not canonical lead nowhere in long mode', () => {
    expect(space([[0x1000, 0x1003n]]).translate(0x0000_8000_0000_0000n)).toMatchObject({ status: 'not-canonical' });
    expect(space([[0x1000, 0x1003n]]).translate(0xffff_0000_0000_0000n)).toMatchObject({ status: 'not-canonical' });
  });

  test('five levels have addresses of 57 bits, exact to the byte', () => {
    const entries: [number, bigint][] = [
      [0x1000 + 8 * 511, 0x2003n],
      [0x2000 + 8 * 511, 0x3003n],
      [0x3000 + 8 * 511, 0x83n],
      [0x1000 + 8 * 1, 0x83n],
    ];
    const five = space(entries, { ...long, cr4: 0x1020n });
    expect(five.mode).toBe('amd64-nx-la57');
    expect(five.translate(0xffff_ffff_ffff_ff01n)).toMatchObject({ status: 'mapped', gcPhys: 0x3fff_ff01 });
    expect(five.translate(0xffff_ffff_ffff_ff01n).entries.map(({ name }) => name)).toEqual(['PML5', 'PML4', 'PDPT']);
    expect(five.translate(0x0000_8000_0000_0000n)).toMatchObject({ status: 'not-present', level: 5 });
    expect(five.translate(0x0001_0000_0000_0000n)).toMatchObject({ status: 'reserved-bit', level: 5 });
    expect(five.translate(0x0100_0000_0000_0000n)).toMatchObject({ status: 'not-canonical' });
    // LA57 counts in long mode only.
    expect(space([], { ...long, cr4: 0x1020n, efer: 0n }).mode).toBe('pae');
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
    expect(new AddressSpace(memory, registers, { features }).translate(5n)).toMatchObject({
      status: 'mapped',
      gcPhys: 0xf_0000_0005,
    });
    expect(
      new AddressSpace(memory, registers, { features: { ...features, pse36: false } }).translate(5n),
    ).toMatchObject({ status: 'reserved-bit', level: 2 });
  });

  test.each([
    [32, 'mapped'],
    [32, 'reserved-bit'],
    [36, 'mapped'],
    [36, 'reserved-bit'],
    [38, 'mapped'],
    [38, 'reserved-bit'],
    [52, 'mapped'],
  ])(
    'with physical addresses of %i bits, 4 MiB pages may lie at addresses of as many bits, and of 36 at least',
    (bits, status) => {
      const memory = new FlatMemory(new Uint8Array(0x10000));
      const registers = { ...long, cr4: 0x10n, efer: 0n };
      const features = { pse: true, pae: true, pge: true, pse36: true, nx: true, gigabytePages: true, longMode: true };
      const widest = Math.min(40, Math.max(36, bits));
      const highest = status === 'mapped' ? widest - 1 : widest;
      writeEntry(memory, 0x1000, 4, BigInt(0x83 | (1 << (highest - 32 + 13))));
      expect(new AddressSpace(memory, registers, { features, physicalBits: bits }).translate(5n)).toMatchObject({
        status,
        ...(status === 'mapped' ? { gcPhys: 2 ** highest + 5 } : {}),
      });
    },
  );

  test('without 1 GiB pages in CPUID their bit is reserved', () => {
    const memory = new FlatMemory(new Uint8Array(0x10000));
    writeEntry(memory, 0x1000, 8, 0x2003n);
    writeEntry(memory, 0x2000, 8, 0x4000_0083n);
    const features = { pse: true, pae: true, pge: true, pse36: true, nx: true, gigabytePages: false, longMode: true };
    expect(new AddressSpace(memory, long, { features }).translate(0n)).toMatchObject({
      status: 'reserved-bit',
      level: 3,
    });
    expect(new AddressSpace(memory, long).translate(0x123n)).toMatchObject({
      status: 'mapped',
      gcPhys: 0x4000_0123,
      pageSize: 2 ** 30,
    });
  });

  test('without paging addresses are physical, and A20 off clears bit 20', () => {
    const memory = new FlatMemory(new Uint8Array(0x1000));
    const real = new AddressSpace(memory, { cr0: 0n, cr3: 0n, cr4: 0n, efer: 0n }, { a20Enabled: false });
    expect(real.translate(0x10_0123n)).toMatchObject({ status: 'mapped', gcPhys: 0x123, writable: true });
    expect(real.translate(1n << 32n)).toMatchObject({ status: 'not-present' });
  });
});
