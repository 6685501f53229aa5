import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { REAL_ANSWERS, REAL_STATES, realSettings, realState } from '../check/testing/real-machines.ts';
import { adapt, planReport } from './adapt.ts';

// Each pair of state and machine that the real VirtualBox refused has a plan, or a reason why there is none. That
// VirtualBox takes the adapted states shows `npm run campaign -- virtualbox-adapt`.

const REFUSED = REAL_ANSWERS.filter(([, , code]) => code !== 'loads').map(([from, into]) => [from, into] as const);
const OTHER_CHIPSET = ['base ich9', 'ich9 base'];
const states = new Map(REAL_STATES.map((name) => [name, bufferSource(realState(name), name)]));
const stateOf = (name: string) => states.get(name) ?? bufferSource(new Uint8Array(0));

const withDonor = REFUSED.filter(([, into]) => REAL_STATES.includes(into));

/** Every fourth is written and proved. */
const PROVED = 4;

describe('adapt() with a donor', () => {
  it.each(withDonor.map(([from, into], i) => [from, into, i % PROVED === 0] as const))(
    'makes a state of %s fit %s',
    async (from, into, isProved) => {
      const target = { donor: stateOf(into) };
      const run = isProved
        ? adapt(stateOf(from), target, new MemorySink(), { accept: ['risk', 'loss'] })
        : planReport(stateOf(from), target);
      if (OTHER_CHIPSET.includes(`${from} ${into}`)) {
        await expect(run).rejects.toMatchObject({ message: expect.stringContaining('--chipset=') });
        return;
      }
      const { changes, proof } = await run;
      expect(changes.length).toBeGreaterThan(0);
      if (isProved) expect(proof).toMatchObject({ holds: true, differences: [] });
    },
  );
});

/**
 * Machines that some states are adapted to by a donor only: settings do not tell all of their new devices, media or
 * queues.
 */
const NEED_A_DONOR: Readonly<Record<string, string>> = {
  ...{ nvme: 'nvme2', nvme2: 'nvme', nvmehd: 'nvme', nvme2hd: 'nvme2 nvmehd' },
  ...{ vscsi: 'vscsi4 vscsihd', vscsi4: 'vscsi', vscsihd: 'vscsi vscsi4' },
  ...{ idehd: 'idehd1', ide: 'idehd idedvd', ahci1: 'ahci1hd', ahci2hd: 'ahci2hd1 ahci2hd2', ahci1hd: 'idehd' },
  ...{ sas: 'sas4', sas4: 'sas', pcnet: 'pcnetI', pcnetI: 'pcnet', e1000: 'e1000S virtio', e1000S: 'e1000' },
  ...{ virtio: 'e1000', vga2mon: 'vga8', vga8: 'vga2mon', cpu2: 'ioapic', ioapic: 'cpu2', base: 'acpi macos' },
  macos: 'base',
};
/**
 * Left out: the vectors have no memory of their own for these machines, and the one that they take has the hole of the
 * other chipset.
 */
const isOfIch9 = (name: string) => /^(ich9|iommu)/.test(name);

describe('adapt() with settings alone', () => {
  it.each(REFUSED.filter(([from, into]) => !isOfIch9(from) && !isOfIch9(into)))(
    'makes a state of %s fit %s, or says that it takes a donor',
    async (from, into) => {
      const target = { machine: realSettings(into) };
      if (NEED_A_DONOR[from]?.split(' ').includes(into)) {
        await expect(planReport(stateOf(from), target)).rejects.toMatchObject({
          code: 'not-adaptable',
          message: expect.stringContaining('--donor'),
        });
        return;
      }
      expect((await planReport(stateOf(from), target)).changes.length).toBeGreaterThan(0);
    },
  );

  it('writes and proves', async () => {
    for (const [from, into] of [
      ['piixall', 'base'],
      ['nic8', 'e1000'],
      ['ahci2hd2', 'ahci1hd'],
      ['uart1', 'uart1b'],
    ]) {
      const { proof } = await adapt(stateOf(from), { machine: realSettings(into) }, new MemorySink());
      expect(proof, `${from} ${into}`).toMatchObject({ holds: true, differences: [], notJudged: [] });
      expect(proof?.assumed).toEqual([expect.stringContaining("the host's CPU")]);
    }
  });
});
