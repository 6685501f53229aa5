import { describe, expect, it } from 'vitest';
import { bufferSource, openFile } from '../../../formats/files/source.ts';
import { MemorySink } from '../../../formats/testing/memory-sink.ts';
import { type LiveMachine, liveSave } from '../../live-save/live-save.ts';
import { loadState } from '../../machine/load.ts';
import type { Machine } from '../../machine/machine.ts';
import { type MachineState, nextMachineState } from '../../machine/machine-states.ts';
import { saveState } from '../../machine/save.ts';
import { NaiveElf } from '../../testing/naive-elf.ts';
import { MemoryTarget, STATES_FOLDER } from '../../testing/states.ts';
import { type ExtractReport, extract } from '../extract/extract.ts';
import {
  DIRECT_MAP,
  IMAGE,
  IMAGE_MAP,
  INFO,
  KERNEL_OFFSET,
  NOTE,
  noteOf,
  PHYS_BASE,
  plantKernel,
  plantNote,
  RELEASE,
  ROOT,
  STACK_MAP,
} from './testing/planted-kernel.ts';

/**
 * Extracts a core of own-long with changed memory; with `changeMore` of a live save, in which memory changes again
 * after the first pass.
 */
async function coreOf(
  change: (machine: Machine) => void,
  changeMore?: (machine: Machine) => void,
): Promise<{ core: NaiveElf; report: ExtractReport }> {
  const file = await openFile(`${STATES_FOLDER}own-long.sav`);
  const machine = await loadState(file);
  await file.close();
  change(machine);
  const sink = new MemorySink();
  if (changeMore)
    await liveSave(liveMachine(machine), sink, { onPass: ({ pass }) => pass === 0 && changeMore(machine) });
  else await saveState(machine, sink);
  const target = new MemoryTarget();
  const report = await extract(bufferSource(sink.view()), target, { format: 'elf' });
  return { core: new NaiveElf(target.bytes), report };
}

/** A machine that executes nothing. */
function liveMachine(machine: Machine): LiveMachine {
  let state: MachineState = 'running';
  return {
    machine,
    get state() {
      return state;
    },
    dispatch(event) {
      state = nextMachineState(state, event);
    },
  };
}

const infoOf = ({ notes }: NaiveElf): string | undefined =>
  notes.find(({ name }) => name === 'VMCOREINFO')?.contents.toString('latin1');

describe('a core of a guest that runs Linux', () => {
  const planted = coreOf((machine) => {
    plantKernel(machine);
    plantNote(machine, noteOf(INFO));
  });

  it('has the kernel’s VMCOREINFO, and the report names the kernel', async () => {
    const { core, report } = await planted;
    expect(infoOf(core)).toBe(INFO);
    expect(report.core).toEqual({ kernel: { release: RELEASE, offset: KERNEL_OFFSET }, allAddresses: true });
  });

  it('has the direct map, the image and the stacks at their virtual addresses', async () => {
    const { core } = await planted;
    const text = (address: bigint) => core.atVirtual(address, 12)?.toString('latin1');
    expect(text(IMAGE_MAP)).toBe('image page 0');
    expect(text(IMAGE_MAP + 0x5000n)).toBe('image page 5');
    expect(text(DIRECT_MAP + BigInt(IMAGE) + 0x5000n)).toBe('image page 5');
    expect([text(STACK_MAP), text(STACK_MAP + 0x1000n)]).toEqual(['stack page 0', 'stack page 1']);
    expect(core.segments[0]).toMatchObject({ paddr: 0, vaddr: DIRECT_MAP });
  });

  it('gives physical addresses to memory that the kernel does not map, and only to that', async () => {
    const { core } = await planted;
    const lower = core.segments.filter(({ vaddr }) => vaddr < 1n << 63n);
    expect(lower.map(({ paddr, vaddr }) => [paddr, Number(vaddr)])).toEqual([[0xffff0000, 0xffff0000]]);
  });

  it.each([
    ['4 bytes into a page, as old kernels have it', NOTE + 4],
    ['across two pages', NOTE + 0x1000 - 200],
  ])('finds the note %s', async (_, at) => {
    const { core } = await coreOf((machine) => {
      plantKernel(machine);
      plantNote(machine, noteOf(INFO), at);
    });
    expect(infoOf(core)).toBe(INFO);
  });

  it('follows CR3 where an old kernel does not tell where it lies', async () => {
    const old = INFO.replace(/NUMBER\(phys_base\).*\n/, '').replace(/KERNELOFFSET.*\n/, '');
    const { core, report } = await coreOf((machine) => {
      plantKernel(machine);
      plantNote(machine, noteOf(old));
      const upperHalf = new Uint8Array(2048);
      machine.memory.read(ROOT + 2048, upperHalf);
      machine.memory.write(Number(machine.state.cpum?.cpus[0].cr3) + 2048, upperHalf);
    });
    expect(infoOf(core)).toBe(old);
    expect(report.core?.kernel).toEqual({ release: RELEASE });
  });

  it('goes by the last pass of a live save', async () => {
    const stale = INFO.replace('BUILD-ID=0', 'BUILD-ID=f');
    const { core } = await coreOf(
      (machine) => {
        plantKernel(machine);
        plantNote(machine, noteOf(stale), NOTE - 0x1000);
        machine.memory.write(IMAGE, Buffer.from('stale page 0'));
      },
      (machine) => {
        machine.memory.write(NOTE - 0x1000, new Uint8Array(4096));
        plantNote(machine, noteOf(INFO));
        machine.memory.write(IMAGE, Buffer.from('image page 0'));
      },
    );
    expect(infoOf(core)).toBe(INFO);
    expect(core.atVirtual(IMAGE_MAP, 12)?.toString('latin1')).toBe('image page 0');
  });

  it('passes over hundreds of forged notes', async () => {
    const { core } = await coreOf((machine) => {
      plantKernel(machine);
      for (let at = 0x100000; at < 0x200000; at += 0x1000)
        plantNote(machine, noteOf(INFO.replace(RELEASE, `6.1.0-forged-${at}`)), at);
      plantNote(machine, noteOf(INFO));
    });
    expect(infoOf(core)).toBe(INFO);
  });
});

describe('a note that does not tell the truth', () => {
  it.each([
    ['of another type', noteOf(INFO, 'VMCOREINFO', 1)],
    ['of no length', noteOf(INFO, 'VMCOREINFO', 0, 0)],
    ['longer than a page', noteOf(INFO, 'VMCOREINFO', 0, 0x2000)],
    ['as long as memory', noteOf(INFO, 'VMCOREINFO', 0, 0xffffffff)],
    ['of another name', noteOf(INFO, 'VMCOREINFX')],
    ['that is no text', noteOf(`${INFO}\x1b[2J=\n`)],
    ['that begins otherwise', noteOf(`A=B\n${INFO}`)],
    ['with a line without an end', noteOf(INFO.replace('BUILD-ID=', `BUILD-ID=${'a'.repeat(300)}`))],
    ['of another page size', noteOf(INFO.replace('PAGESIZE=4096', 'PAGESIZE=65536'))],
    ['of another release', noteOf(INFO.replace(RELEASE, '6.1.0-other'))],
    ['that names no kernel', noteOf(INFO.replace('SYMBOL(init_uts_ns)', 'SYMBOL(other)'))],
    [
      'whose page tables are elsewhere',
      noteOf(
        INFO.replace(/SYMBOL\(swapper_pg_dir\)=.*/, `SYMBOL(swapper_pg_dir)=${(IMAGE_MAP + 0x7000n).toString(16)}`),
      ),
    ],
    [
      'far outside of memory',
      noteOf(INFO.replace(`NUMBER(phys_base)=${PHYS_BASE}`, 'NUMBER(phys_base)=9999999999999999999')),
    ],
    ['before memory', noteOf(INFO.replace(`NUMBER(phys_base)=${PHYS_BASE}`, `NUMBER(phys_base)=-${PHYS_BASE}`))],
  ])('%s is left out', async (_, note) => {
    const { core, report } = await coreOf((machine) => {
      plantKernel(machine);
      plantNote(machine, note);
    });
    expect(infoOf(core)).toBeUndefined();
    expect(report.core?.kernel).toBeUndefined();
    expect(core.atVirtual(BigInt(IMAGE), 12)?.toString('latin1')).toBe('image page 0');
  });
});
