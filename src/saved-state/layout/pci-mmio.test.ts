import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { inspect } from '../describe/inspect.ts';
import { memoryMap } from './memory-map.ts';

type Registers = [start: number, end: number, name: string][];

/**
 * Buses of machines of 7.2.22 after their BIOS had placed the devices, and where VirtualBox's `info phys` had registers
 * then.
 */
const mapped: Record<string, { unit: string; version: number; payload: string; registers: Registers }> = JSON.parse(
  readFileSync(join(STATES_FOLDER, '../machines/mapped.json'), 'utf8'),
);
const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));

async function registersOf(unit: string, version: number, payload: Uint8Array): Promise<Registers> {
  const units = splitUnits(plain).map((own) => (own.name === 'pci' ? { name: unit, version, payload } : own));
  const { state } = await inspect(bufferSource(joinUnits(units, plain)));
  const own = memoryMap(state).filter(({ kind, name }) => kind === 'mmio' && !/VGA|APIC|HPET|LPC|MCFG/.test(name));
  return own.map(({ start, end, name }) => [start, end, name]);
}

describe('registers of PCI devices', () => {
  it.each(Object.keys(mapped))('lie where VirtualBox had them in machine %s', async (name) => {
    const { unit, version, payload, registers } = mapped[name];
    const found = await registersOf(unit, version, inflateRawSync(Buffer.from(payload, 'base64')));
    // The controller's memory is none of its registers; the bundled state has no such memory, so it is told by its
    // region.
    expect(found.filter(([, , text]) => text !== 'nvme, region 3')).toEqual(registers);
  });

  it('are not believed where they contradict each other, memory, or what an address can be', async () => {
    const bus = inflateRawSync(Buffer.from(mapped.c.payload, 'base64'));
    const at = (ids: number, offset: number) => bus.indexOf(Buffer.from(Uint32Array.of(ids).buffer)) + offset;
    const [ohci, ehci, pcnet] = [at(0x003f106b, 0x10), at(0x265c8086, 0x10), at(0x20001022, 0x14)];
    bus.writeUInt32LE(0x1000, ohci);
    bus.writeUInt32LE(bus.readUInt32LE(pcnet), ehci);
    expect(await registersOf('pci', 4, bus)).toEqual([mapped.c.registers[0]]);
    // The size of region 1 follows the configuration space, the level of the pin and region 0.
    bus.writeBigUInt64LE(2n ** 63n, pcnet - 0x14 + 256 + 4 + 9 + 1);
    expect((await registersOf('pci', 4, bus)).map(([, , name]) => name)).toEqual(['USB EHCI']);
  });
});
