// Exports of 'savkit/formats': containers, units and their codecs, as bytes and plain records.

export { Cursor, type Widths } from '../../formats/binary/cursor.ts';
export type { Kind, ValuePart } from '../../formats/binary/kinds.ts';
export type { DependentKind, Field, Struct, StructValue } from '../../formats/binary/struct.ts';
export { Writer } from '../../formats/binary/writer.ts';
export { FailingDisk } from '../../formats/files/failing-disk.ts';
export { ReadableParts, type Stretch } from '../../formats/files/readable-parts.ts';
export type { Arena } from '../../formats/files/window.ts';
export type { Extent, MemoryRange } from '../../formats/image/extents.ts';
export type { CpuPaging, PgmBasic, PgmConfig } from '../../formats/pgm/head.ts';
export type { Mapping, Mmio2Entry, RomEntry } from '../../formats/pgm/layouts.ts';
export type { OldRange, PageRun, PageTypeNumbering } from '../../formats/pgm/old-ranges.ts';
export { PgmReader } from '../../formats/pgm/pgm-reader.ts';
export type { PgmVersion } from '../../formats/pgm/versions.ts';
export type { QemuCommand, QemuConfiguration } from '../../formats/qemu/configuration.ts';
export type { LibvirtCompression, LibvirtImage } from '../../formats/qemu/containers/libvirt-image.ts';
export {
  type OpenedQemuState,
  type OpenQemuOptions,
  openQemuState,
  type QemuContainer,
} from '../../formats/qemu/containers/open.ts';
export type { Qcow2Image, Qcow2Snapshot } from '../../formats/qemu/containers/qcow2.ts';
export type {
  DescribedDevice,
  DescribedField,
  DescribedPart,
  StreamDescription,
} from '../../formats/qemu/description.ts';
export { type DeviceSection, type DeviceSections, splitDevices } from '../../formats/qemu/device-sections.ts';
export type { QemuRamLayout, RamStretch } from '../../formats/qemu/guest-layout.ts';
export type { MappedPages } from '../../formats/qemu/mapped-header.ts';
export { type RamBlock, RamBlocks } from '../../formats/qemu/ram-blocks.ts';
export type { PartedSection, QemuSection } from '../../formats/qemu/sections.ts';
export type { OddRecord } from '../../formats/qemu/stream/ram-records.ts';
export { type QemuStreamOptions, QemuStreamReader } from '../../formats/qemu/stream/stream-reader.ts';
export type { StreamTail } from '../../formats/qemu/stream/stream-tail.ts';
export type { RamGap } from '../../formats/qemu/stream/unreadable-records.ts';
export type { WritablePage } from '../../formats/qemu/writing/page-writer.ts';
export {
  type QemuStreamPlan,
  QemuStreamWriter,
  type WrittenSection,
} from '../../formats/qemu/writing/stream-writer.ts';
export type { GuestPhys, GuestVirt } from '../../formats/sizes.ts';
export type {
  Container,
  ContainerFormat,
  ContainerHeader,
  OpenOptions,
  Release,
  UnitHeader,
} from '../../formats/ssm/container.ts';
export type { DirectoryEntry } from '../../formats/ssm/layouts.ts';
export { openContainer } from '../../formats/ssm/open.ts';
export { PayloadReader } from '../../formats/ssm/payload.ts';
export { Encoding } from '../../formats/ssm/segments.ts';
export type { Compression } from '../../formats/ssm/writing/container-writer.ts';
export type { GuestClock } from '../../formats/units/chipset/mc146818.ts';
export type { PciDevice } from '../../formats/units/chipset/pci.ts';
export type { PciSlot } from '../../formats/units/chipset/pci-bus.ts';
export type { UnitCodec } from '../../formats/units/codec/codec.ts';
export type { UnitField } from '../../formats/units/codec/decode.ts';
export type { DeviceConfig } from '../../formats/units/codec/device-config.ts';
export {
  collected,
  lenient,
  type Reading,
  start,
  type Told,
  type UnitRow,
  whole,
} from '../../formats/units/codec/unit-row.ts';
export type { PagingFeatures } from '../../formats/units/cpu/cpuid.ts';
export type { CpuidPart, CpuidRegisters } from '../../formats/units/cpu/cpuid-leaves.ts';
export type { ControlRegisters, Cpum, CpuRegisters } from '../../formats/units/cpu/cpum.ts';
export type { GuestContext } from '../../formats/units/cpu/cpum-layouts.ts';
export type { GimProvider } from '../../formats/units/cpu/gim.ts';
export type { MemorySizes } from '../../formats/units/machine/mm.ts';
export type { PdmDevice } from '../../formats/units/machine/pdm.ts';
export { noFacts, readFacts, rowOf, UNIT_TABLE, type UnitFacts } from '../../formats/units/table.ts';
export type { Shape, ShapeValue } from '../../formats/values/shape.ts';
