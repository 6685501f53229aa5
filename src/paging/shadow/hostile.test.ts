import { beforeEach, describe, expect, test } from 'vitest';
import { GuestMemory } from '../../pgm/guest-memory.ts';
import { checkConsistency } from './checks/consistency-check.ts';
import { checkPool } from './checks/pool-check.ts';
import { ShadowPaging } from './shadow-paging.ts';

const MMIO = 0x1000_0000;
const ROM = 0xf_0000;
const LONG = { cr0: 0x80010001n, cr3: 0x1000n, cr4: 0x20n, efer: 0xd00n };

let memory: GuestMemory;
let paging: ShadowPaging;
let deviceReads: number;

beforeEach(() => {
  memory = new GuestMemory();
  memory.registerRam(0, 0xa_0000, 'Base RAM');
  deviceReads = 0;
  memory.mmio.register(MMIO, 0x1000, 'device', (access, _, bytes) => {
    if (access === 'read') deviceReads++;
    bytes.fill(access === 'read' ? 0x67 : 0);
    return 'done';
  });
  const image = new Uint8Array(0x1000);
  new DataView(image.buffer).setBigUint64(0, 0x5067n, true);
  memory.roms.register({ start: ROM, size: 0x1000, description: 'ROM', image });
  memory.writeU64(0x1000, 0x2067n);
  memory.writeU64(0x2000, 0x3067n);
  paging = new ShadowPaging(memory, { host: 'AMD64+NX', hardware: true });
  paging.cpus[0].setRegisters(LONG);
});

function checks(): void {
  expect(checkConsistency(paging.cpus[0])).toEqual([]);
  expect(checkPool(paging)).toEqual([]);
}

describe('hostile tables', () => {
  test('in MMIO are never read: the guest gets a fault, the device no access', () => {
    memory.writeU64(0x3000, BigInt(MMIO + 0x67));
    expect(paging.cpus[0].read(0n, new Uint8Array(1), 4)).toBe(0b1101);
    expect(deviceReads).toBe(0);
    checks();
  });

  test('in a hole, or with reserved bits, are faults', () => {
    for (const entry of [0x2000_0067n, 0x5067n | (1n << 13n) | 0x80n]) {
      memory.writeU64(0x3000, entry);
      expect(paging.cpus[0].write(0n, Uint8Array.of(1))).toBe(0b1011);
    }
    checks();
  });

  test('in ROM are used, though nobody can watch or mark them: accesses are emulated', () => {
    memory.writeU64(0x3000, BigInt(ROM + 0x67));
    const seen = new Uint8Array(1);
    memory.write(0x5123, Uint8Array.of(42));
    expect(paging.cpus[0].read(0x123n, seen)).toBe(-1);
    expect([...seen]).toEqual([42]);
    checks();
  });

  test('that map devices pass accesses on to them', () => {
    memory.writeU64(0x3000, 0x4067n);
    memory.writeU64(0x4000, BigInt(MMIO + 0x67));
    const seen = new Uint8Array(1);
    expect(paging.cpus[0].read(0n, seen)).toBe(-1);
    expect([seen[0], deviceReads]).toEqual([0x67, 1]);
    expect(paging.cpus[0].hostAddress(0, 0)).toBe(-1);
    checks();
  });

  test('that name themselves at every level can be read and written through themselves', () => {
    memory.writeU64(0x1008, 0x1067n);
    const self = (1n << 39n) | (1n << 30n) | (1n << 21n) | (1n << 12n);
    const [cpu] = paging.cpus;
    const entry = new Uint8Array(8);
    expect(cpu.read(self + 8n, entry)).toBe(-1);
    expect(new DataView(entry.buffer).getBigUint64(0, true)).toBe(0x1067n);
    // The entry that maps the page goes with a write through that page.
    expect(cpu.write(self + 8n, new Uint8Array(8))).toBe(-1);
    expect(cpu.read(self + 8n, entry)).toBe(0);
    checks();
  });
});
