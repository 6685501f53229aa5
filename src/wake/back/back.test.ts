import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ByteSource, bufferSource } from '../../../formats/files/source.ts';
import { extract } from '../../saved-state/extract/extract.ts';
import { collectUnits } from '../../saved-state/reading/collect-units.ts';
import { walkState } from '../../saved-state/reading/walk.ts';
import { MemoryTarget, STATES_FOLDER, sha256, type Truth } from '../../testing/states.ts';
import { folderOf, ICH9_MACHINES, ICH9_STATE, woken } from '../testing/woken.ts';
import { MachineUnits } from '../units/machine-units.ts';
import { bringBack } from './back.ts';

const like = () => bufferSource(readFileSync(join(STATES_FOLDER, 'own-prot32.sav')), 'own-prot32.sav');

const ich9 = () => bufferSource(readFileSync(join(folderOf(ICH9_STATE), `${ICH9_STATE}.sav`)));

async function back(name: string, machine: string, template = like()) {
  const { stream } = await woken(name, machine, /\/(ich9_ahci|e1000)$/);
  const pieces: Buffer[] = [];
  const report = await bringBack(stream, template, { write: async (bytes) => void pieces.push(Buffer.from(bytes)) });
  return { report, state: bufferSource(Buffer.concat(pieces), name) };
}

describe('bringBack()', () => {
  it.each(['pc-i440fx-7.2', 'pc-i440fx-10.0'])(
    'makes of a machine of %s one of VirtualBox, in a template that was another guest',
    async (machine) => {
      const truth = JSON.parse(readFileSync(join(STATES_FOLDER, 'own-long.json'), 'utf8')) as Truth;
      const original = await walkState(bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav'))));
      const { report, state } = await back('own-long', machine);
      expect(report).toMatchObject({ machine, units: expect.arrayContaining(['cpum/1', 'tm/1']) });
      const found = await walkState(state);
      const { es: _, ...registers } = found.cpum?.cpus[0].context ?? {};
      for (const name of [
        'rax',
        'rcx',
        'rsp',
        'rip',
        'r15',
        'rflags',
        'cr0',
        'cr3',
        'cr4',
        'efer',
        'dr',
        'gdtr',
        'idtr',
        'pat',
        'xcr0',
      ] as const)
        expect([name, (registers as Record<string, unknown>)[name]]).toEqual([
          name,
          original.cpum?.cpus[0].context?.[name],
        ]);
      expect(found.cpum?.cpus[0].fxsave).toEqual(original.cpum?.cpus[0].fxsave);
      const ram = new MemoryTarget();
      await extract(state, ram);
      expect(sha256(ram.bytes)).toBe(truth.ram.low.sha256);
    },
  );

  it.each(ICH9_MACHINES)('makes of a machine of %s one with ICH9', async (machine) => {
    const { report, state } = await back(ICH9_STATE, machine, ich9());
    expect(report).toMatchObject({ machine, pages: 0 });
    const [found, original] = await Promise.all([walkState(state), walkState(ich9())]);
    expect(found.cpum?.cpus).toEqual(original.cpum?.cpus);
    const unitsOf = async (source: ByteSource) => new MachineUnits(await collectUnits(source, {}));
    const [units, before] = [await unitsOf(state), await unitsOf(ich9())];
    for (const unit of ['ioapic/0', 'apic/0', 'i8259/0', 'ich9pci/0'])
      expect([unit, units.need(unit)]).toEqual([unit, before.need(unit)]);
  });

  it('says which machine of QEMU goes with the chipset of the template', async () => {
    const sink = { write: async () => expect.unreachable() };
    const q35 = (await woken(ICH9_STATE, 'pc-q35-10.0')).stream;
    await expect(bringBack(q35, like(), sink)).rejects.toThrow(/chipset PIIX3, .* pc-i440fx; .* is a pc-q35-10.0/);
    const { stream } = await woken('own-long', 'pc-i440fx-10.0');
    await expect(bringBack(stream, ich9(), sink)).rejects.toThrow(/chipset ICH9, .* pc-q35; .* is a pc-i440fx-10.0/);
  });

  it('refuses a template that is no state', async () => {
    const { stream } = await woken('own-long', 'pc-i440fx-7.2');
    const other = Buffer.from('no state');
    const sink = { write: async () => {} };
    await expect(bringBack(stream, bufferSource(other), sink)).rejects.toThrow();
  });
});
