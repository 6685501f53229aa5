import { beforeAll, describe, expect, it } from 'vitest';
import { bufferSource } from '../../formats/files/source.ts';
import { PGM_VERSIONS, SINCE_PAE_PDS } from '../../formats/pgm/versions.ts';
import { GIB, MIB } from '../../formats/sizes.ts';
import { MemorySink } from '../../formats/testing/memory-sink.ts';
import { emptyMachine } from '../running/empty-machine.ts';
import { convert } from '../saved-state/convert/convert.ts';
import { loadState } from './load.ts';
import { Machine } from './machine.ts';
import { saveState } from './save.ts';

const CONTAINERS = ['1.1', '1.2', '2.0'] as const;
/** Addresses at which the test puts the guest's tables. */
const [PML4, PDPT, PD, POINTERS] = [0x10000, 0x11000, 0x12000, 0x13020];
const PAE = { cr0: 0x8000_0011n, cr3: BigInt(POINTERS), cr4: 0x20n, efer: 0n };
const LONG = { cr0: 0x8001_0011n, cr3: BigInt(PML4), cr4: 0x20n, efer: 0xd00n };
const NIL = 0xffff_ffff_ffff_ffffn;

async function saved(machine: Machine): Promise<Uint8Array> {
  const sink = new MemorySink();
  await saveState(machine, sink);
  return sink.view();
}

async function again(machine: Machine): Promise<Machine> {
  return loadState(bufferSource(await saved(machine)));
}

/** Writes tables that map 2 MiB at 0, in legacy PAE and in long mode. */
function putTables({ memory }: Machine): void {
  memory.writeU64(PML4, BigInt(PDPT) | 7n);
  memory.writeU64(PDPT, BigInt(PD) | 7n);
  memory.writeU64(PD, 0x87n);
  for (const [i, pointer] of [PD | 1, 0, PD | 1, 0].entries()) memory.writeU64(POINTERS + 8 * i, BigInt(pointer));
}

describe('a machine of each version', () => {
  let state: Uint8Array;
  beforeAll(async () => {
    state = await saved(await emptyMachine(4 * MIB));
  });

  async function machineOf(pgm: number): Promise<Machine> {
    const sink = new MemorySink();
    const layout = {
      roms: [{ name: 'Net Boot ROM', address: 0xe2000, size: 14 * 4096 }],
      mmio2: [{ name: 'VRam', device: 'vga', instance: 0, region: 0, size: MIB, address: 0xf000_0000 }],
      mmio: [],
    };
    const container = CONTAINERS[pgm % CONTAINERS.length];
    await convert(bufferSource(state), sink, { pgm, container, allowLoss: true, proof: false, layout });
    return loadState(bufferSource(sink.view()));
  }

  it.each(PGM_VERSIONS)('keeps registers, paging and mappings that were changed, pgm $version', async (version) => {
    const first = await machineOf(version.version);
    putTables(first);
    expect(first.cpus[0].guestMode).toBe('real');
    expect(first.cpus[0].setRegisters(PAE)).toBe('ok');
    first.memory.writeU64(POINTERS, 0n);
    first.memory.a20.set(0, false);
    const list = [{ start: 0xa000_0000, size: 8 * MIB, description: 'Hypervisor Memory Area' }];
    first.mappings.load(version.mappings ? list : [], { base: 0xa000_0000, size: 40 * MIB });
    expect(first.basic?.cpus[0].guestMode).toBe(4);

    const second = await again(first);
    expect(second.cpus[0]).toMatchObject({ guestMode: 'pae', registers: { ...PAE, cr2: 0n } });
    expect(second.memory.a20.isOn(0)).toBe(false);
    const pd = BigInt(PD);
    const keepsPointers = version.version >= SINCE_PAE_PDS;
    expect(second.basic?.cpus[0].paePds).toEqual(keepsPointers ? [pd, NIL, pd, NIL] : [NIL, NIL, NIL, NIL]);
    // Latched pointers count, not those that memory has now.
    expect(second.cpus[0].space()?.translate(0x1000n).status).toBe(keepsPointers ? 'mapped' : 'not-present');
    expect(second.mappings.restoredFixed).toEqual({ base: 0xa000_0000, size: 40 * MIB });
    expect(second.mappings.all.map(({ start, size }) => [start, size])).toEqual(
      version.mappings ? [[0xa000_0000, 8 * MIB]] : [],
    );
    expect({ ...second.basic, cpus: [] }).toEqual({ ...first.basic, cpus: [] });

    second.memory.a20.set(0, true);
    second.cpus[0].setRegisters({ ...LONG, cr2: 0xffff_8000_0000_1234n });
    second.mappings.unfix();
    const third = await again(second);
    expect(third.cpus[0]).toMatchObject({
      guestMode: 'amd64-nx',
      registers: { ...LONG, cr2: 0xffff_8000_0000_1234n },
    });
    expect(third.basic).toMatchObject({
      cpus: [{ a20Enabled: true, guestMode: 7, paePds: [NIL, NIL, NIL, NIL] }],
      mappingsFixed: false,
      mappingFixed: 0n,
      mappingFixedSize: 0,
    });
    expect(third.mappings.restoredFixed).toBeUndefined();
    expect(await saved(third)).toEqual(await saved(await again(third)));
  });

  it('reads and writes virtual memory with and without shadow tables, and keeps where it faulted', async () => {
    for (const isShadowed of [false, true]) {
      const machine = await emptyMachine(4 * MIB);
      putTables(machine);
      if (isShadowed) machine.usePaging();
      const [cpu] = machine.cpus;
      cpu.setRegisters(LONG);
      expect(cpu.write(0x3000n, Uint8Array.of(7))).toBe(-1);
      const byte = new Uint8Array(1);
      expect([cpu.read(0x3000n, byte), byte[0], machine.memory.readU32(0x3000)]).toEqual([-1, 7, 7]);
      expect(cpu.read(BigInt(GIB), byte)).toBe(0);
      expect((await again(machine)).cpus[0].registers?.cr2).toBe(BigInt(GIB));
      expect(cpu.modeChanges).toBe(isShadowed ? 2 : 1);
      machine.reset();
      expect([cpu.guestMode, cpu.modeChanges]).toEqual(['real', 0]);
    }
  });

  it('keeps mappings that no machine can have as they were saved', async () => {
    const odd = { address: 0xa000_1000n, pageTables: 1n, description: 'not aligned' };
    const { memory, state: loaded, units } = await machineOf(13);
    const basic = loaded.pgm?.basic;
    if (!basic || !loaded.pgm) throw new Error('there is no pgm unit');
    const machine = new Machine(
      memory,
      { ...loaded, pgm: { ...loaded.pgm, basic: { ...basic, mappings: [odd] } } },
      units,
    );
    expect([machine.mappings.all, machine.basic?.mappings]).toEqual([[], [odd]]);
  });
});

it('a host whose paging is not known is refused', async () => {
  const machine = await emptyMachine(4 * MIB);
  expect(() => machine.usePaging({ host: 'Sparc' as 'PAE', hardware: true })).toThrow(
    expect.objectContaining({ vboxCode: 'VERR_PGM_UNSUPPORTED_HOST_PAGING_MODE' }),
  );
  machine.usePaging();
  expect(() => machine.usePaging()).toThrow(/already/);
});
