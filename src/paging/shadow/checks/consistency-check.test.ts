import { describe, expect, test } from 'vitest';
import { GuestMemory } from '../../../pgm/guest-memory.ts';
import { HandlerState } from '../../../pgm/pages/page-states.ts';
import { KINDS } from '../../pool/kinds.ts';
import { slotOf } from '../plan.ts';
import { ShadowPaging } from '../shadow-paging.ts';
import { CONDITIONS, type Condition } from './conditions.ts';
import { checkConsistency } from './consistency-check.ts';
import { checkPool, POOL_CONDITIONS, type PoolCondition } from './pool-check.ts';

const RW = 2;
const US = 4;

/** A machine in long mode whose shadow tables hold every kind of entry. */
class Planted {
  readonly memory = new GuestMemory();
  readonly paging: ShadowPaging;

  constructor() {
    this.memory.registerRam(0, 4 << 20, 'Base RAM');
    const tables: [number, number][] = [
      [0x1000, 0x2027],
      [0x2000, 0x3027],
      // A table, a dirty and a clean large page.
      [0x3000, 0x4027],
      [0x3008, 0x2000e7],
      [0x3010, 0x0000a7],
      // Dirty, clean, read-only, dirty.
      [0x4000, 0x10067],
      [0x4008, 0x11027],
      [0x4010, 0x12025],
      [0x4018, 0x13067],
    ];
    for (const [at, entry] of tables) this.memory.writeU64(at, BigInt(entry));
    this.paging = new ShadowPaging(this.memory, { host: 'AMD64+NX', hardware: true });
    this.cpu.setRegisters({ cr0: 0x80010001n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n });
    for (const address of [0n, 0x1000n, 0x2000n, 0x3000n, 0x205000n, 0x406000n])
      expect(this.cpu.read(address, new Uint8Array(1))).toBe(-1);
    for (const address of [0n, 0x3000n, 0x205000n]) expect(this.cpu.write(address, Uint8Array.of(1))).toBe(-1);
  }

  get cpu() {
    return this.paging.cpus[0];
  }

  get pool() {
    return this.paging.pool;
  }

  /** Table and slot at a level, 0 the root's, that an address uses. */
  entry(linear: number, depth: number): [table: number, slot: number] {
    let table = this.cpu.root;
    for (const level of this.cpu.plan?.levels.slice(0, depth) ?? [])
      table = this.pool.child(table, slotOf(level, linear));
    return [table, slotOf(this.cpu.plan?.levels[depth] as NonNullable<typeof this.cpu.plan>['levels'][0], linear)];
  }

  /** Changes bits of a shadow entry without the pool knowing. */
  flip(linear: number, depth: number, low: number, high = 0): void {
    const [table, slot] = this.entry(linear, depth);
    this.pool.tables.words[table * 1024 + slot * 2] ^= low;
    this.pool.tables.words[table * 1024 + slot * 2 + 1] ^= high;
  }

  /** Changes a guest entry without anybody noticing. */
  guest(at: number, low: number): void {
    this.paging.cpus[0].view.writeU32(at, low);
  }

  handler(page: number): void {
    this.memory.ranges.get(0).handler[page] = HandlerState.WRITE;
  }
}

const PLANTS: Record<Condition, (machine: Planted) => void> = {
  'root-address': ({ cpu }) => {
    if (cpu.walker) cpu.walker.root = 0x5000;
  },
  'root-table': ({ pool, cpu }) => {
    pool.key[cpu.root] = 0x5000;
  },
  'upper-guest-absent': (machine) => machine.guest(0x1000, 0),
  'upper-key': (machine) => machine.guest(0x1000, 0x5027),
  'upper-flags': (machine) => machine.flip(0, 0, RW),
  'pde-mapping': (machine) => machine.flip(0, 2, 1 << 10),
  'pde-table': (machine) => machine.flip(0, 2, 0, 0x200),
  'pde-cache-bits': (machine) => machine.flip(0, 2, 1 << 3),
  'pde-page-bits': (machine) => machine.flip(0, 2, 1 << 8),
  'pde-guest-absent': (machine) => machine.guest(0x3000, 0),
  'pde-reserved': (machine) => machine.guest(0x3008, 0x2020e7),
  'pde-kind': (machine) => {
    machine.pool.kind[machine.entry(0, 3)[0]] = KINDS.PAE_PT_FOR_2MB.number;
  },
  'pde-address': (machine) => machine.guest(0x3000, 0x4000_0027),
  'pde-key': (machine) => machine.guest(0x3000, 0x5027),
  'table-flags': (machine) => machine.flip(0, 2, US),
  'table-tracked': (machine) => machine.flip(0, 2, 1 << 11),
  'pte-tracked-absent': (machine) => machine.flip(0x1f_f000, 3, 1 << 9),
  'pte-guest-absent': (machine) => machine.guest(0x4010, 0),
  'pte-unknown-writable': (machine) => machine.guest(0x4000, 0x4000_0067),
  'pte-host': (machine) => machine.flip(0, 3, 0x40_0000),
  'pte-handlers': (machine) => machine.handler(0x10),
  'pte-clean': (machine) => machine.flip(0x1000, 3, RW),
  'pte-tracked': (machine) => machine.flip(0, 3, 1 << 9),
  'pte-flags': (machine) => machine.flip(0x2000, 3, US),
  'large-clean': (machine) => machine.flip(0x406000, 2, RW),
  'large-tracked': (machine) => machine.flip(0x205000, 2, 1 << 11),
  'large-flags': (machine) => machine.flip(0x205000, 2, US),
  'large-pte-tracked': (machine) => machine.flip(0x205000, 3, 1 << 9),
  'large-pte-host': (machine) => machine.flip(0x205000, 3, 0x40_0000),
  'large-pte-handlers': (machine) => machine.handler(0x205),
  'large-pte-flags': (machine) => machine.flip(0x205000, 3, US),
};

describe('checkConsistency', () => {
  test('finds nothing in tables that are right', () => {
    const machine = new Planted();
    expect(checkConsistency(machine.cpu)).toEqual([]);
    expect(checkPool(machine.paging)).toEqual([]);
  });

  test.each(Object.keys(CONDITIONS) as Condition[])('finds a planted fault: %s', (condition) => {
    const machine = new Planted();
    PLANTS[condition](machine);
    const found = checkConsistency(machine.cpu);
    expect(found.map((breach) => breach.condition)).toContain(condition);
    expect(found[0].message).toMatch(/^0x[0-9a-f]+: /);
  });

  test('has nothing to compare without paging and with nested paging', () => {
    const { paging, cpu } = new Planted();
    cpu.setRegisters({ cr0: 1n, cr3: 0n, cr4: 0n, efer: 0n });
    expect(checkConsistency(cpu)).toEqual([]);
    expect(checkPool(paging)).toEqual([]);
  });
});

const POOL_PLANTS: Record<PoolCondition, (machine: Planted) => void> = {
  present: (machine) => machine.flip(0x1f_f000, 3, 1),
  users: (machine) => machine.flip(0, 2, 0x1000),
  watch: (machine) => {
    machine.pool.key[machine.entry(0, 3)[0]] = 0x9000;
  },
  host: (machine) => machine.flip(0, 3, 0x40_0000),
  tracking: (machine) => machine.pool.tracking.add(0x300, 7),
  'watched-writable': (machine) => {
    const [table, slot] = machine.entry(0, 3);
    machine.pool.tables.frames[table * 1024 + slot] = 0x4 + 1;
  },
  'handled-writable': (machine) => machine.handler(0x10),
};

test.each(Object.keys(POOL_CONDITIONS) as PoolCondition[])('checkPool() finds a planted fault: %s', (condition) => {
  const machine = new Planted();
  POOL_PLANTS[condition](machine);
  expect(checkPool(machine.paging).map((breach) => breach.condition)).toContain(condition);
});
