import { hex, UsageError } from '../../../formats/errors.ts';
import type { Qcow2Image, Qcow2Snapshot } from '../../../formats/qemu/qcow2.ts';
import { pagingModeOf } from '../../paging/modes.ts';
import type { UnitDescription } from '../describe/describe.ts';
import { describeUnit } from '../describe/describe.ts';
import { cpuRegisters } from './cpu-registers.ts';
import { type LibvirtDomain, readDomain } from './libvirt-domain.ts';
import { deviceFields } from './qemu-fields.ts';
import type { BlockSummary, QemuState } from './qemu-state.ts';

// A state of QEMU as plain data for JSON and for tables: addresses and registers as hexadecimal text, sizes and counts
// as numbers.

export interface SnapshotDescription {
  id: string;
  name: string;
  /** ISO 8601 */
  date: string;
  /** Seconds that the guest's clock had run. */
  guestSeconds: number;
  /** Bytes of the machine's state; 0 for a snapshot of the disk alone. */
  stateSize: number;
  diskSize: number;
}

export interface QemuDescription {
  family: 'qemu';
  container: {
    kind: 'stream' | 'libvirt' | 'qcow2';
    size: number;
    /** Bytes after the end of the stream. */
    trailing: number;
    libvirt?: { version: number; compression: string; wasRunning: boolean; domain: LibvirtDomain | null };
    qcow2?: { version: number; clusterSize: number; snapshot: string; snapshots: SnapshotDescription[] };
  };
  machine?: string;
  capabilities: string[];
  commands: string[];
  /** What the machine does after loading. */
  runState?: string;
  sections: UnitDescription[];
  /** How the sections of devices were told apart; `search` is a guess. */
  split: 'description' | 'search';
  memory: {
    ramSize: number;
    /** Where RAM above 3 or 2 GiB lies follows from the machine type; false where that is not known. */
    layoutKnown: boolean;
    map: { start: string; end: string; size: number; name: string }[];
    blocks: BlockDescription[];
  };
  cpus: { cpu: number; mode: string; a20: boolean; registers: Record<string, string> }[];
  /** The fields of one section, where they were asked for. */
  section?: SectionDescription;
}

export interface BlockDescription {
  name: string;
  size: number;
  /** Pages that came at least once, of so many. */
  pages: number;
  totalPages: number;
  zeroRecords: number;
  rawRecords: number;
  /** In the file that the machine shares its memory with. */
  leftOut: boolean;
  mapped?: { bitmap: number; pages: number };
}

export interface SectionDescription {
  name: string;
  instance: number;
  version: number;
  fields: { name: string; type: string; offset: number; size: number; value: string }[];
}

/**
 * What `inspect` shows. @param section name of a section whose fields are wanted. @throws UsageError for one that is
 * not there
 */
export function describeQemu(state: QemuState, section?: string): QemuDescription {
  const { configuration, commands, runState, units, split, blocks, layout } = state;
  return {
    family: 'qemu',
    container: describeContainer(state),
    ...(configuration.machine === undefined ? {} : { machine: configuration.machine }),
    capabilities: configuration.capabilities,
    commands: commands.map(({ name }) => name),
    ...(runState === undefined ? {} : { runState }),
    sections: units.map(describeUnit),
    split,
    memory: {
      ramSize: blocks.reduce((sum, block) => sum + (block.isRam ? block.size : 0), 0),
      layoutKnown: layout.known,
      map: describeMap(blocks),
      blocks: blocks.map(describeBlock),
    },
    cpus: state.cpus.map((cpu) => {
      const registers = cpuRegisters(cpu);
      return { cpu: cpu.index, mode: modeOf(registers), a20: cpu.a20, registers: registersOf(cpu) };
    }),
    ...(section === undefined ? {} : { section: describeSection(state, section) }),
  };
}

const LA57 = 1n << 12n;

/** As VirtualBox names modes; five levels, which it does not have, are told apart. */
function modeOf(registers: ReturnType<typeof cpuRegisters>): string {
  const mode = pagingModeOf(registers);
  return mode.startsWith('amd64') && (registers.cr4 & LA57) !== 0n ? `${mode}-la57` : mode;
}

function registersOf({ registers, segments }: QemuState['cpus'][number]): Record<string, string> {
  const tables = ['gdtr', 'idtr'];
  return {
    ...Object.fromEntries(Object.entries(registers).map(([name, value]) => [name, hex(value)])),
    ...Object.fromEntries(
      Object.entries(segments).map(([name, { selector, base, limit }]) => [
        name,
        tables.includes(name) ? `${hex(base)}:${hex(limit)}` : hex(selector),
      ]),
    ),
  };
}

function describeContainer({ container, size, trailing }: QemuState): QemuDescription['container'] {
  const common = { kind: container.kind, size, trailing };
  if (container.kind === 'libvirt') {
    const { version, compression, wasRunning, xml } = container.image;
    return { ...common, libvirt: { version, compression, wasRunning, domain: readDomain(xml) ?? null } };
  }
  if (container.kind === 'stream') return common;
  return { ...common, qcow2: { ...describeImage(container.image), snapshot: container.snapshot.name } };
}

/** A disk image of which no snapshot was chosen. */
export interface ImageDescription {
  family: 'image';
  version: number;
  clusterSize: number;
  snapshots: SnapshotDescription[];
}

/** The snapshots of a disk image. */
export function describeImage({ version, clusterBits, snapshots }: Qcow2Image): Omit<ImageDescription, 'family'> {
  return { version, clusterSize: 2 ** clusterBits, snapshots: snapshots.map(describeSnapshot) };
}

function describeSnapshot({ id, name, date, guestClock, stateSize, diskSize }: Qcow2Snapshot): SnapshotDescription {
  const guestSeconds = Number(guestClock / 1_000_000n) / 1000;
  return { id, name, date: new Date(date).toISOString(), guestSeconds, stateSize, diskSize };
}

function describeMap(blocks: readonly BlockSummary[]): QemuDescription['memory']['map'] {
  return blocks
    .flatMap(({ name, ranges }) => ranges.map(({ start, end }) => ({ start, end, name })))
    .sort((a, b) => a.start - b.start)
    .map(({ start, end, name }) => ({ start: hex(start), end: hex(end), size: end - start, name }));
}

function describeBlock(block: BlockSummary): BlockDescription {
  const { name, size, pages, totalPages, zeroRecords, rawRecords, leftOut, mapped } = block;
  const place = mapped ? { mapped: { bitmap: mapped.bitmapOffset, pages: mapped.pagesOffset } } : {};
  return { name, size, pages, totalPages, zeroRecords, rawRecords, leftOut, ...place };
}

function describeSection({ devices }: QemuState, text: string): SectionDescription {
  const device =
    devices.find(({ name, instance }) => text === `${name}/${instance}`) ?? devices.find(({ name }) => name === text);
  if (!device) {
    const names = devices.map(({ name, instance }) => `${name}/${instance}`).join(', ');
    throw new UsageError('unknown-name', `Cannot find section "${text}": there are: ${names}`);
  }
  const { name, instance, version } = device;
  return { name, instance, version, fields: deviceFields(device) };
}
