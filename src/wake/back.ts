import { UnsupportedError } from '../../formats/errors.ts';
import type { ByteSink, SeekableSink } from '../../formats/files/sink.ts';
import type { ByteSource } from '../../formats/files/source.ts';
import { CPU_SECTION } from '../../formats/qemu/cpu.ts';
import { MIB, PAGE_SIZE } from '../../formats/sizes.ts';
import { unitLabel } from '../../formats/ssm/container.ts';
import type { Piix3Bus } from '../../formats/units/chipset/pci-codec.ts';
import type { Apic } from '../../formats/units/cpu/apic.ts';
import type { CpumUnit } from '../../formats/units/cpu/cpum-codec.ts';
import type { Em } from '../../formats/units/cpu/em.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import type { Vga } from '../../formats/units/display/codecs.ts';
import { codecFor } from '../../formats/units/table.ts';
import { offsetInChunk } from '../gmm/page-id.ts';
import { loadState } from '../machine/load.ts';
import { Machine } from '../machine/machine.ts';
import { saveState } from '../machine/save.ts';
import { PageType } from '../pgm/pages/page-states.ts';
import { extract } from '../saved-state/extract/extract.ts';
import { collectUnits } from '../saved-state/reading/collect-units.ts';
import { takeCpuBack } from './devices/cpu-back.ts';
import { usesIoApic } from './devices/interrupt-routes.ts';
import { localApic } from './devices/local-apic.ts';
import { configOf } from './devices/pci.ts';
import { serialPort } from './devices/serial-port.ts';
import { DEVICE_TABLE } from './devices/table.ts';
import { VIDEO_MEMORY } from './guest-image.ts';
import { Memory } from './memory-target.ts';
import { partOf } from './put-state.ts';
import { type Moment, takeBack, type UnitPart } from './template/correspondence.ts';
import { Template } from './template/template.ts';
import { MachineUnits } from './units/machine-units.ts';
import { isText, textToVirtualBox } from './video-memory.ts';

/** What a machine of QEMU has become. */
export interface BroughtBack {
  machine: string;
  /** Pages of RAM that are others than in the template. */
  pages: number;
  /** Units whose bytes are others than in the template, by `name/instance`. */
  units: string[];
}

/** Why a machine of QEMU has no place in a state. */
function refused(reason: string): UnsupportedError {
  return new UnsupportedError('not-wakeable', `Cannot bring back: ${reason}`);
}

/** Devices whose state is not brought back yet. */
const NOT_YET = ['e1000', 'pcnet', 'ahci', 'virtio-net'];

/**
 * Writes a stopped machine of QEMU as a saved state of VirtualBox: RAM, processors and devices are QEMU's, all else is
 * the template's: a state of a machine with the same devices and as much RAM.
 * @param like seekable @throws UnsupportedError `not-wakeable`, `other-qemu`; FormatError
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
  const pages = await takeMemory(stream, machine, units, signal);
  await saveState(machine, sink, walk);
  return { machine: template.machine, pages, units: [...changed.keys()] };
}

function expectSameMachine(units: MachineUnits, template: Template): void {
  if (!units.has('pci/0')) throw refused('the template has another chipset than PIIX3');
  for (const name of NOT_YET)
    if (units.instancesOf(name).length > 0)
      throw refused(`the template has a device ${name}, which can not be filled yet`);
  const cpus = units.collected.state.cpum?.cpus.length ?? 0;
  if (!template.find(CPU_SECTION, cpus - 1) || template.find(CPU_SECTION, cpus))
    throw refused(`the template has ${cpus} CPUs, the machine of QEMU another number`);
  const ram = template.blocks.filter(({ isRam }) => isRam).reduce((sum, { size }) => sum + size, 0);
  const own = units.collected.state.pgm?.ramSize ?? 0;
  if (ram !== own) throw refused(`the template has ${own} bytes of RAM, the machine of QEMU ${ram}`);
  if (template.sections.some(({ name }) => /\/(e1000|pcnet|virtio|ahci)/.test(name)))
    throw refused('the machine of QEMU has devices that can not be brought back yet');
}

/** Puts QEMU's values into the decoded units of the template. */
function takeUnits(units: MachineUnits, template: Template): void {
  const clocks = template.section('timer');
  const now = clocks.number('cpu_clock_offset');
  const moment: Moment = { now, lag: 0n };
  const tm = units.need<Tm>('tm/1');
  const tsc = BigInt.asUintN(64, clocks.number('cpu_ticks_offset'));
  Object.assign(tm, { virtual: now, virtualSync: now, offset: 0n, givenUp: 0n, catchUp: false });
  tm.tsc = tm.tsc.map(() => tsc);
  const cpum = units.need<CpumUnit>('cpum/1');
  const em = units.need<Em>('em/0').cpus as unknown as { state: number }[];
  for (const [i, cpu] of cpum.cpus.entries()) {
    takeCpuBack(template.section(CPU_SECTION, i), cpu);
    em[i].state = runStateOf(template, i);
    const apic = units.find<Apic>('apic/0')?.cpu[i];
    if (apic) takeBack(localApic, template.section('apic', i), apic as unknown as UnitPart, moment);
  }
  for (const { unit, part, section, table } of DEVICE_TABLE) {
    const value = units.find<UnitPart>(unit);
    if (value) takeBack(table, template.section(...section), partOf(value, part), moment);
  }
  for (const instance of units.instancesOf('serial'))
    takeBack(serialPort, template.section('serial', instance), units.need(`serial/${instance}`), moment);
  takeRoutes(units, template);
}

/** Numbers of unit em for what a CPU does. */
const [RUNS, HALTED, WAITS_FOR_START] = [1, 6, 7];

function runStateOf(template: Template, i: number): number {
  const waits = 'apic_sipi.wait_for_sipi';
  const apic = template.section('apic', i);
  if (apic.has(waits) && apic.number(waits) !== 0n) return WAITS_FOR_START;
  return template.section('cpu_common', i).number('halted') !== 0n ? HALTED : RUNS;
}

const ROUTES = [0x60, 0x61, 0x62, 0x63];

function takeRoutes(units: MachineUnits, template: Template): void {
  const bus = units.need<Piix3Bus>('pci/0');
  bus.address = Number(template.section('PCIHost').number('config_reg') & 0xffff_ffffn);
  const bridge = bus.devices.find(({ devfn }) => devfn === 8);
  if (!bridge || usesIoApic(bus)) return;
  const config = configOf(template.section('0000:00:01.0/PIIX3'));
  for (const at of ROUTES) bridge.config[at] = config.getUint8(at);
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

/** @returns pages of RAM that were others */
async function takeMemory(
  stream: ByteSource,
  machine: Machine,
  units: MachineUnits,
  signal?: AbortSignal,
): Promise<number> {
  const walk = signal ? { signal } : {};
  const ram = new Memory();
  await extract(stream, ram, { ...walk, format: 'sparse' });
  const own = new Uint8Array(PAGE_SIZE);
  let pages = 0;
  for (const { kind, start, end, type } of machine.memory.ranges.all) {
    if (kind !== 'ram') continue;
    for (let gcPhys = start; gcPhys < end; gcPhys += PAGE_SIZE) {
      if (type[(gcPhys - start) / PAGE_SIZE] !== PageType.RAM) continue;
      const theirs = ram.at(gcPhys, PAGE_SIZE);
      machine.memory.read(gcPhys, own, 'device');
      if (Buffer.compare(own, theirs) === 0) continue;
      machine.memory.write(gcPhys, theirs, 'device');
      pages++;
    }
  }
  const range = machine.memory.mmio2.all.find(({ description }) => description === VIDEO_MEMORY);
  const vga = units.find<Vga>('vga/0');
  if (!range || !vga) return pages;
  const video = new Memory();
  await extract(stream, video, { ...walk, format: 'sparse', mmio2: '0000:00:02.0/vga.vram' });
  const bytes = video.at(0, range.pages * PAGE_SIZE).slice();
  if (isText(vga)) textToVirtualBox(bytes.subarray(0, MIB));
  for (let page = 0; page < range.pages; page++) {
    const id = range.pageId[page];
    machine.memory.pages.backing
      .chunkBytes(id)
      .set(bytes.subarray(page * PAGE_SIZE, (page + 1) * PAGE_SIZE), offsetInChunk(id));
  }
  return pages;
}
