import { hex, UsageError } from '../../../formats/errors.ts';
import type { Qcow2Image, Qcow2Snapshot } from '../../../formats/qemu/containers/qcow2.ts';
import { addressModeOf } from '../../paging/modes.ts';
import type { UnitDescription } from '../describe/describe.ts';
import { describeUnit } from '../describe/describe.ts';
import { cpuRegisters } from './cpu-registers.ts';
import { type LibvirtDomain, readDomain } from './libvirt-domain.ts';
import { deviceFields } from './qemu-fields.ts';
import type { BlockSummary, QemuState } from './qemu-state.ts';

// A state of QEMU as plain data for JSON and for tables: addresses and registers as hexadecimal text, sizes and counts
// as numbers.

/** A snapshot in a disk image. */
export interface DiskSnapshotDescription {
  /** The image's own number for it. */
  id: string;
  /** The user's name for it. */
  name: string;
  /** Time at which it was made, in ISO 8601. */
  date: string;
  /** Seconds that the guest's clock had run. */
  guestSeconds: number;
  /** Bytes of the machine's state; 0 for a snapshot of the disk alone. */
  stateSize: number;
  /** Bytes of the disk as it was then. */
  diskSize: number;
}

/** Description of a state of QEMU. */
export interface QemuStateDescription {
  /** Family of the state. */
  family: 'qemu';
  /** Container of the stream. */
  container: {
    /** A stream as it is, in libvirt's save image, or in a snapshot of a disk image. */
    kind: 'stream' | 'libvirt' | 'qcow2';
    /** Bytes that were read. */
    size: number;
    /** Bytes after the end of the stream. */
    trailing: number;
    /** Head of the save image. */
    libvirt?: { version: number; compression: string; wasRunning: boolean; domain: LibvirtDomain | null };
    /** The disk image, and the snapshot that was read. */
    qcow2?: { version: number; clusterSize: number; snapshot: string; snapshots: DiskSnapshotDescription[] };
  };
  /** Machine type such as `pc-i440fx-7.2`. */
  machine?: string;
  /** Capabilities of the migration: `mapped-ram`, `x-ignore-shared`. */
  capabilities: string[];
  /** Names of the commands between sections. */
  commands: string[];
  /** State of the machine after loading: `running`, `paused`. */
  runState?: string;
  /** Sections of RAM and of devices, in file order. */
  sections: UnitDescription[];
  /** Means by which the borders of sections were found; `search` is a guess. */
  split: 'description' | 'search';
  /** Guest memory. */
  memory: {
    /** Bytes of RAM. */
    ramSize: number;
    /** Whether the address of RAM above 2 or 3 GiB is known; it depends on the machine type. */
    layoutKnown: boolean;
    /** Guest-physical addresses, `[start, end)`, as hexadecimal text; `size` in bytes. */
    map: { start: string; end: string; size: number; name: string }[];
    /** Blocks in the order of the stream. */
    blocks: QemuBlockDescription[];
  };
  /** Paging mode, A20 gate and registers in hexadecimal, for each CPU. */
  cpus: { cpu: number; mode: string; a20: boolean; registers: Record<string, string> }[];
  /** The fields of one section, if asked for. */
  section?: QemuSectionDescription;
}

/** A block of guest memory, and its pages in the state. */
export interface QemuBlockDescription {
  /** QEMU's name, such as `pc.ram`. */
  name: string;
  /** Bytes. */
  size: number;
  /** Pages that are in the state. */
  pages: number;
  /** Pages of the block. */
  totalPages: number;
  /** Records of pages of zeros. */
  zeroRecords: number;
  /** Records of pages with contents. */
  rawRecords: number;
  /** The pages are in the machine's shared file, not in the state. */
  leftOut: boolean;
  /** Of mapped RAM: offsets of bitmap and pages in the file. */
  mapped?: { bitmap: number; pages: number };
}

/** The fields of a device's section. */
export interface QemuSectionDescription {
  /** QEMU's name of the device. */
  name: string;
  /** Tells sections of one name apart. */
  instance: number;
  /** Version of the layout. */
  version: number;
  /** In file order; `offset` in the body and `size` in bytes. */
  fields: { name: string; type: string; offset: number; size: number; value: string }[];
}

/**
 * The description that `inspect` shows. @param section name of a section whose fields are wanted. @throws UsageError
 * for a missing section
 */
export function describeQemu(state: QemuState, section?: string): QemuStateDescription {
  const { configuration, commands, runState, units, split, blocks, layout } = state;
  return {
    family: 'qemu',
    container: describeContainer(state),
    machine: configuration.machine,
    capabilities: configuration.capabilities,
    commands: commands.map(({ name }) => name),
    runState,
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
      return { cpu: cpu.index, mode: addressModeOf(registers), a20: cpu.a20, registers: registersOf(cpu) };
    }),
    section: section === undefined ? undefined : describeSection(state, section),
  };
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

function describeContainer({ container, size, trailing }: QemuState): QemuStateDescription['container'] {
  const common = { kind: container.kind, size, trailing };
  if (container.kind === 'libvirt') {
    const { version, compression, wasRunning, xml } = container.image;
    return { ...common, libvirt: { version, compression, wasRunning, domain: readDomain(xml) ?? null } };
  }
  if (container.kind === 'stream') return common;
  return { ...common, qcow2: { ...describeImage(container.image), snapshot: container.snapshot.name } };
}

/** A disk image of which no snapshot was chosen. */
export interface DiskImageDescription {
  /** In place of the family of a state. */
  family: 'image';
  /** Version of qcow2. */
  version: number;
  /** Bytes of a cluster. */
  clusterSize: number;
  /** Snapshots in the order of the image's table. */
  snapshots: DiskSnapshotDescription[];
}

/** The snapshots of a disk image. */
export function describeImage({ version, clusterBits, snapshots }: Qcow2Image): Omit<DiskImageDescription, 'family'> {
  return { version, clusterSize: 2 ** clusterBits, snapshots: snapshots.map(describeSnapshot) };
}

function describeSnapshot({ id, name, date, guestClock, stateSize, diskSize }: Qcow2Snapshot): DiskSnapshotDescription {
  const guestSeconds = Number(guestClock / 1_000_000n) / 1000;
  return { id, name, date: new Date(date).toISOString(), guestSeconds, stateSize, diskSize };
}

function describeMap(blocks: readonly BlockSummary[]): QemuStateDescription['memory']['map'] {
  return blocks
    .flatMap(({ name, ranges }) => ranges.map(({ start, end }) => ({ start, end, name })))
    .sort((a, b) => a.start - b.start)
    .map(({ start, end, name }) => ({ start: hex(start), end: hex(end), size: end - start, name }));
}

function describeBlock(block: BlockSummary): QemuBlockDescription {
  const { name, size, pages, totalPages, zeroRecords, rawRecords, leftOut, mapped } = block;
  const place = mapped ? { mapped: { bitmap: mapped.bitmapOffset, pages: mapped.pagesOffset } } : {};
  return { name, size, pages, totalPages, zeroRecords, rawRecords, leftOut, ...place };
}

function describeSection({ devices }: QemuState, text: string): QemuSectionDescription {
  const device =
    devices.find(({ name, instance }) => text === `${name}/${instance}`) ?? devices.find(({ name }) => name === text);
  if (!device) {
    const names = devices.map(({ name, instance }) => `${name}/${instance}`).join(', ');
    throw new UsageError('unknown-name', `Cannot find section "${text}": there are: ${names}`);
  }
  const { name, instance, version } = device;
  return { name, instance, version, fields: deviceFields(device) };
}
