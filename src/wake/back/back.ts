import type { ByteSink, SeekableSink } from '../../../formats/files/sink.ts';
import type { ByteSource } from '../../../formats/files/source.ts';
import { unitLabel } from '../../../formats/ssm/container.ts';
import type { CpumUnit } from '../../../formats/units/cpu/cpum-codec.ts';
import type { Vga } from '../../../formats/units/display/codecs.ts';
import { codecFor } from '../../../formats/units/table.ts';
import { loadState } from '../../machine/load.ts';
import { Machine } from '../../machine/machine.ts';
import { saveState } from '../../machine/save.ts';
import { collectUnits } from '../../saved-state/reading/collect-units.ts';
import { Template } from '../template/template.ts';
import { MachineUnits } from '../units/machine-units.ts';
import { expectSameMachine } from './same-machine.ts';
import { expectSameProcessor } from './same-processor.ts';
import { takeMemory } from './take-memory.ts';
import { takeUnits } from './take-units.ts';

/** Result of bringing a machine of QEMU back. */
export interface BroughtBack {
  machine: string;
  /** Number of RAM pages that differ from the template. */
  pages: number;
  /** Units whose bytes differ from the template, as `name/instance`. */
  units: string[];
}

/**
 * Writes a stopped machine of QEMU as a saved state of VirtualBox. RAM, processors and devices are taken from QEMU, all
 * else from the template, a state of a machine with the same devices and as much RAM.
 * @param like the template; seekable @throws UnsupportedError `not-wakeable`, `other-qemu`; FormatError
 */
export async function bringBack(
  stream: ByteSource,
  like: ByteSource,
  sink: ByteSink | SeekableSink,
  signal?: AbortSignal,
): Promise<BroughtBack> {
  const walk = signal ? { signal } : {};
  const template = await Template.read(stream);
  const units = new MachineUnits(await collectUnits(like, walk));
  expectSameMachine(units, template);
  const loaded = await loadState(like, walk);
  takeUnits(units, template);
  expectSameProcessor(units);
  const changed = changedPayloads(units);
  const machine = new Machine(
    loaded.memory,
    loaded.state,
    loaded.units.map(({ header, payload }) => {
      const made = changed.get(unitLabel(header));
      return { header, ...(made ? { payload: made } : payload ? { payload } : {}) };
    }),
  );
  for (const [i, cpu] of machine.cpus.entries()) {
    const { cr0, cr2, cr3, cr4, efer } = units.need<CpumUnit>('cpum/1').cpus[i].context;
    cpu.setRegisters({ cr0, cr2, cr3, cr4, efer });
  }
  const pages = await takeMemory(stream, machine, units.find<Vga>('vga/0'), signal);
  await saveState(machine, sink, walk);
  return { machine: template.machine, pages, units: [...changed.keys()] };
}

function changedPayloads(units: MachineUnits): Map<string, Uint8Array> {
  const changed = new Map<string, Uint8Array>();
  for (const [label, { header, payload }] of units.collected.units) {
    const codec = codecFor(header);
    const value = codec && units.decoded(label);
    if (!codec || value === undefined) continue;
    const made = codec.encode(value, header.version).slice();
    if (Buffer.compare(made, payload) !== 0) changed.set(label, made);
  }
  return changed;
}
