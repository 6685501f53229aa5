import { describe, expect, it } from 'vitest';
import { openFile } from '../../../formats/files/source.ts';
import { type Sample, STATES_FOLDER, samplesIn } from '../../testing/states.ts';
import { describeState, type StateDescription } from './describe.ts';
import { inspect } from './inspect.ts';

async function describeSample(sample: Sample): Promise<StateDescription> {
  const source = await openFile(sample.path);
  const { state, findings } = await inspect(source);
  await source.close();
  expect(findings).toEqual([]);
  return describeState(state);
}

/** Names of modes in the truth files. */
const MODES: Record<string, string> = { 'pae-nx': 'PAE+NX', 'amd64-nx': 'long+NX' };

for (const sample of samplesIn(STATES_FOLDER)) {
  const { truth } = sample;

  describe(`inspect() of ${sample.name}`, () => {
    it('shows the container', async () => {
      const { container } = await describeSample(sample);
      const { format, release, revision, live, size, directoryEntries } = container;
      expect({ format: `V${format}`, writer: release, revision, live, directoryEntries }).toEqual({
        ...pick(truth.container),
        directoryEntries: truth.container.directoryEntries,
      });
      expect(size).toBe(truth.size);
    });

    it('lists the units', async () => {
      const { units } = await describeSample(sample);
      const expected = truth.units.map(({ name, instance, version, pass, offset, fileSize, payloadSize }) => ({
        name,
        instance,
        version,
        pass,
        offset,
        size: fileSize,
        payloadSize,
      }));
      expect(units).toEqual(expected);
    });

    it('shows the registers and the mode that they imply', async () => {
      const { cpus } = await describeSample(sample);
      expect(cpus.map(({ registers: { cr0, cr2, cr3, cr4, efer } }) => ({ cr0, cr2, cr3, cr4, efer }))).toEqual(
        truth.vcpus.map(({ cr0, cr2, cr3, cr4, efer }) => ({ cr0, cr2, cr3, cr4, efer })),
      );
      for (const [i, cpu] of cpus.entries()) {
        expect(cpu.modesAgree).toBe(true);
        expect(MODES[cpu.mode ?? ''] ?? cpu.mode).toBe(truth.vcpus[i].mode);
      }
    });

    it('shows where memory lies', async () => {
      const { memory } = await describeSample(sample);
      expect(memory?.ramSize).toBe(truth.ram.size);
      expect(memory?.ramHole).toBe(truth.ram.hole);
      expect(memory?.roms.map(({ name, address }) => [name, address]).sort()).toEqual(
        truth.rom.map(({ description, address }) => [description, address]).sort(),
      );
      expect(memory?.mmio2.map(({ name, mappedAt }) => [name, mappedAt])).toEqual(
        truth.mmio2.map(({ description, mappedAt }) => [description, mappedAt ?? null]),
      );
      const merged = memory?.map.filter(({ kind }) => kind !== 'hole').map(({ start }) => start);
      expect(merged).toEqual(truth.memoryMap?.map(([start]) => start).filter((start) => start !== '0x200000'));
    });

    it('counts page records by kind', async () => {
      const { memory } = await describeSample(sample);
      const { records } = truth.pgm;
      expect(memory?.records).toEqual({
        ramZero: records.RAM_ZERO ?? 0,
        ramRaw: records.RAM_RAW ?? 0,
        ramBallooned: records.RAM_BALLOONED ?? 0,
        mmio2Zero: records.MMIO2_ZERO ?? 0,
        mmio2Raw: records.MMIO2_RAW ?? 0,
        romVirgin: records.ROM_VIRGIN ?? 0,
        romShadowZero: records.ROM_SHW_ZERO ?? 0,
        romShadowRaw: records.ROM_SHW_RAW ?? 0,
        romProtection: records.ROM_PROT ?? 0,
      });
    });
  });
}

function pick({ format, writer, revision, live }: Sample['truth']['container']): object {
  return { format, writer, revision, live };
}
