import type { ReadableParts } from '../../../formats/files/readable-parts.ts';
import type { QemuCommand, QemuConfiguration } from '../../../formats/qemu/configuration.ts';
import type { QemuContainer } from '../../../formats/qemu/containers/open.ts';
import type { QemuCpu } from '../../../formats/qemu/cpu.ts';
import type { StreamDescription } from '../../../formats/qemu/description.ts';
import type { DeviceSection } from '../../../formats/qemu/device-sections.ts';
import type { BlockRange, QemuRamLayout } from '../../../formats/qemu/guest-layout.ts';
import type { RamBlock } from '../../../formats/qemu/ram-blocks.ts';
import type { PartedSection, QemuSection } from '../../../formats/qemu/sections.ts';
import type { OddRecord } from '../../../formats/qemu/stream/ram-records.ts';
import type { RamGap } from '../../../formats/qemu/stream/unreadable-records.ts';
import type { UnitSummary } from '../reading/state.ts';

/** A block of memory, and its pages in the state. */
export interface BlockSummary extends RamBlock {
  /** Pages with at least one record, and all pages of the block. */
  pages: number;
  totalPages: number;
  /** Records of pages of zeros, and of others; a live save has several for some pages. */
  zeroRecords: number;
  rawRecords: number;
  /** Guest-physical stretches, as far as they are known. */
  ranges: readonly BlockRange[];
  /** A mapped-ram block: a page without a bit in its bitmap is zeros. */
  isMapped: boolean;
  /** The state names the block and leaves its pages to the file that it shares (`x-ignore-shared`). */
  leftOut: boolean;
}

/** Result of reading a whole state of QEMU, without the contents of memory. */
export interface QemuState {
  container: QemuContainer;
  /** Bytes of the file or stream, as far as it was read. */
  size: number;
  configuration: QemuConfiguration;
  commands: readonly QemuCommand[];
  blocks: BlockSummary[];
  /** Bytes of all blocks, as the head of their list tells. */
  blockBytes: number;
  layout: QemuRamLayout;
  /** Sections of RAM, in file order. */
  ramSections: readonly QemuSection[];
  devices: readonly DeviceSection[];
  /** Other sections in parts, such as `dirty-bitmap`, in file order. */
  otherSections: readonly PartedSection[];
  /** All sections, as units of a saved state. */
  units: UnitSummary[];
  description?: StreamDescription;
  /** The bytes of the description. */
  descriptionJson?: Uint8Array;
  /** Offset of the description in the file. */
  descriptionOffset?: number;
  /** Means by which the borders of device sections were found; `search` is a guess. */
  split: 'description' | 'search';
  /** Bytes after the last part of the stream. */
  trailing: number;
  /** The end mark was found. */
  ended: boolean;
  cpus: QemuCpu[];
  /** State of the machine after loading, such as `running` or `paused`. */
  runState?: string;
  /** All of section `ram` was read, but for gaps. */
  memoryRead: boolean;
  /** Tells which bytes a failing disk could not read, where reading went on over them. */
  parts?: ReadableParts | undefined;
  /** Records of RAM that a failing disk cannot read. */
  gaps: readonly RamGap[];
  /** The first records of RAM that no QEMU writes. */
  oddRecords: readonly OddRecord[];
  /** Pages may have gone over other connections (multifd). */
  hasOtherChannels: boolean;
}
