import { describe, expect, test } from 'vitest';
import { MIB } from '../../../formats/sizes.ts';
import { emptyMachine } from '../../running/empty-machine.ts';
import { PAGE_MASK_64 } from '../schemes.ts';
import type { HostPaging } from '../shadow-mode.ts';
import { MAPPING } from '../software-bits.ts';
import { checkConsistency } from './checks/consistency-check.ts';

const PAGE = 4096;
const ROOT = 0x10_000;
const TABLE = 0x11_000;
const UNIT = 4 * MIB;

/** A guest with 32-bit tables in raw mode, which maps page 0x12000 at 4 MiB. */
async function rawMachine(host: HostPaging['host']) {
  const machine = await emptyMachine(4 * MIB);
  const shadow = machine.usePaging({ host, hardware: false });
  const { memory, rawMode } = machine;
  if (!rawMode) throw new Error('there is no raw mode');
  const put = (slot: number, entry: number) => memory.writeU32(ROOT + slot * 4, entry);
  put(1, TABLE | 7);
  memory.writeU32(TABLE, 0x12_007);
  machine.cpus[0].setRegisters({ cr0: 0x8000_0001n, cr3: BigInt(ROOT), cr4: 0n, efer: 0n });
  return { machine, memory, rawMode, put, cpu: machine.cpus[0], shadow: shadow.cpus[0] };
}

type Raw = Awaited<ReturnType<typeof rawMachine>>;

/** The two directory entries at an address, as a processor finds them in the shadow tables. */
function entriesAt({ shadow }: Raw, address: number): bigint[] {
  const { pool } = shadow.paging;
  if (shadow.plan?.levels.length === 2) return [BigInt(pool.tables.low(shadow.root, address >>> 22, false))];
  const directory = pool.childOf(shadow.root, address >>> 30);
  const slot = (address >>> 21) & 511;
  return [slot, slot + 1].map(
    (at) => (BigInt(pool.tables.high(directory, at, true)) << 32n) | BigInt(pool.tables.low(directory, at, true)),
  );
}

describe.each(['32-bit', 'PAE', 'AMD64'] as const)('mappings on a %s host', (host) => {
  test('have entries with the mapping bit in shadow and intermediate directories, which name their own tables', async () => {
    const raw = await rawMachine(host);
    const { rawMode, machine } = raw;
    expect(rawMode.mappings.placed.map(({ address }) => address - rawMode.mapping.start)).toEqual([0, UNIT]);
    for (const { address, tables } of rawMode.mappings.placed) {
      const entries = entriesAt(raw, address);
      expect(entries.every((entry) => (entry & BigInt(MAPPING)) !== 0n)).toBe(true);
      const frames = host === '32-bit' ? [tables.narrowFrame] : tables.wideFrames;
      expect(entries.map((entry) => Number(entry & PAGE_MASK_64) / PAGE)).toEqual(frames);
      const { bytes } = machine.intermediate;
      const view = new DataView(bytes.buffer, bytes.byteOffset);
      expect(view.getUint32((address >>> 22) * 4, true)).toBe(tables.narrowEntry);
    }
    expect(entriesAt(raw, rawMode.mapping.start - UNIT).every((entry) => entry === 0n)).toBe(true);
    expect(checkConsistency(raw.shadow)).toEqual([]);
  });

  test('make room when the guest comes to where they are, by an access or by its tables alone', async () => {
    const raw = await rawMachine(host);
    const { rawMode, put, cpu, memory, machine } = raw;
    const place = rawMode.mapping.start;
    expect(cpu.read(BigInt(place), new Uint8Array(1))).toBe(0);
    expect(machine.statistics.valueOf('/PGM/CPU0/RZ/Trap0e/GuestPF/InMapping')).toBe(1);
    put(place >>> 22, TABLE | 7);
    expect(raw.shadow.cr3.isSyncPending).toBe(true);
    expect(cpu.write(BigInt(place), Uint8Array.of(0x5a))).toBe(-1);
    expect(rawMode.mapping.start).not.toBe(place);
    expect(memory.readU32(0x12_000) & 0xff).toBe(0x5a);
    expect(entriesAt(raw, rawMode.mapping.start).every((entry) => (entry & BigInt(MAPPING)) !== 0n)).toBe(true);
    expect(entriesAt(raw, place).every((entry) => (entry & BigInt(MAPPING)) === 0n)).toBe(true);
    expect(machine.intermediate.usesSlot(place)).toBe(false);
    expect(checkConsistency(raw.shadow)).toEqual([]);
  });

  test('stay where they are fixed: the guest reaches its own pages there, and never the hypervisor’s', async () => {
    const raw = await rawMachine(host);
    const { rawMode, put, cpu, memory } = raw;
    rawMode.mappings.fix(0x4000_0000, 2 * UNIT, true);
    put(0x4000_0000 >>> 22, TABLE | 7);
    expect(cpu.write(0x4000_0123n, Uint8Array.of(0x77))).toBe(-1);
    expect(memory.readU32(0x12_120) >>> 24).toBe(0x77);
    expect(rawMode.mapping.start).toBe(0x4000_0000);
    expect(raw.shadow.counts.emulated).toBe(1);
    rawMode.mappings.unfix();
    cpu.read(0x4000_0123n, new Uint8Array(1));
    expect(rawMode.mapping.start).not.toBe(0x4000_0000);
  });

  test('are a fault where a guest uses all addresses, and the guest goes on', async () => {
    const raw = await rawMachine(host);
    const { rawMode, put, cpu } = raw;
    for (let slot = 0; slot < 1024; slot++) put(slot, TABLE | 7);
    const place = rawMode.mapping.start;
    expect(cpu.write(BigInt(place), Uint8Array.of(1))).toBe(-1);
    expect([rawMode.mapping.start, rawMode.mapping.conflicts > 0]).toEqual([place, true]);
  });

  test('show the guest’s root, and pages that were emulated last, in areas of their own', async () => {
    const { rawMode, memory, cpu, machine } = await rawMachine(host);
    expect(rawMode.hostAt(rawMode.cr3Area.base)).toBe(memory.hostPageOf(ROOT) * PAGE);
    memory.handlers.register({
      kind: 'all',
      start: 0x12_000,
      end: 0x13_000,
      description: 'watch',
      callback: () => 'default',
    });
    // The page has no memory before the first write.
    for (let i = 0; i < 3; i++) cpu.write(0x40_0000n, Uint8Array.of(1));
    const misses = machine.statistics.valueOf('/PGM/RC/DynMapCache/Misses');
    expect([misses, machine.statistics.valueOf('/PGM/RC/DynMapCache/Hits')]).toEqual([1, 1]);
    expect(rawMode.hostAt(rawMode.dynamicArea.base)).toBe(memory.hostPageOf(0x12_000) * PAGE);
    machine.reset();
    expect(rawMode.hostAt(rawMode.cr3Area.base)).not.toBe(memory.hostPageOf(ROOT) * PAGE);
  });
});
