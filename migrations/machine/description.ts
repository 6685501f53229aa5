import {
  bytes,
  flag,
  integer,
  list,
  object,
  oneOf,
  record,
  type Shape,
  type ShapeValue,
  text,
  withDefault,
} from '../../formats/values/shape.ts';
import { MAX_DESCRIPTION, MAX_PAGES, MAX_REGIONS } from '../wire/limits.ts';

const region = {
  kind: oneOf('ram', 'mmio2', 'rom', 'rom-shadow'),
  name: text(256),
  /** Number among the regions of its kind. */
  id: integer(0, 65535),
  /** Guest-physical page frame of the first page; 0 for a region that is mapped nowhere. */
  firstFrame: integer(0, 2 ** 40),
  pages: integer(1, MAX_PAGES),
};
const regionShape = record(region);
/** Neighbouring pages of one kind. An unmapped region is known by its id only. */
export type PageRegion = ShapeValue<typeof regionShape>;

const ofAnyMachine = {
  name: text(256),
  /** Version of the hypervisor: of VirtualBox from the header of its state, of QEMU from its greeting. */
  release: text(64),
  cpus: integer(1, 4096),
  /** Whether the machine can run; else it can only be kept. */
  executes: flag,
};

const virtualBoxShape = record({
  hypervisor: withDefault(oneOf('virtualbox'), 'virtualbox'),
  ...ofAnyMachine,
  regions: list(regionShape, MAX_REGIONS),
  /** Version of the memory unit. */
  pgmVersion: integer(1, 14),
  /** Names, instances and versions of the units that are sent along. */
  units: list(record({ name: text(64), instance: integer(0, 0xffff_ffff), version: integer(0, 0xffff_ffff) }), 1024),
});
/** One of savkit's own machines, which are modelled on VirtualBox's. */
export type VirtualBoxDescription = ShapeValue<typeof virtualBoxShape>;

const qemuShape = record({
  hypervisor: oneOf('qemu'),
  ...ofAnyMachine,
  /** Memory by backend; a region's name is the backend's. */
  regions: list(
    record({
      ...region,
      /** Offset of the first page in the backend's file, in bytes. */
      fileOffset: integer(0, Number.MAX_SAFE_INTEGER),
    }),
    MAX_REGIONS,
  ),
  /** The machine type with its version: `pc-i440fx-7.2`. */
  machineType: text(128),
  /** `tcg` or `kvm`. */
  accelerator: text(32),
  /** Names and types of the devices that were plugged in by name, in the order of QEMU's list. */
  devices: list(record({ name: text(256), type: text(256) }), 1024),
  /** Block nodes that the guest can write to, which both sides need. */
  disks: list(record({ node: text(256), device: text(256), bytes: integer(0, Number.MAX_SAFE_INTEGER) }), 256),
});
/** A guest of QEMU. */
export type QemuDescription = ShapeValue<typeof qemuShape>;

/** Description of a machine without its contents. Both sides must agree on it before any page moves. */
export type MachineDescription = VirtualBoxDescription | QemuDescription;

/** The fields depend on `hypervisor`; version 1 of the protocol has only VirtualBox's, and no `hypervisor`. */
export const descriptionShape: Shape<MachineDescription> = (value) =>
  (object(value).hypervisor === 'qemu' ? qemuShape : virtualBoxShape)(value);

/** Payload of frame `describe`. */
export const describeShape = record({ description: descriptionShape, rest: bytes(MAX_DESCRIPTION) });

/**
 * Fields that must be equal on both sides. QEMU's version is not among them: another version may take a machine over.
 */
const SINGLE = {
  virtualbox: ['release', 'cpus', 'pgmVersion'],
  qemu: ['machineType', 'accelerator', 'cpus'],
} as const;
const LISTS = {
  virtualbox: { regions: 'region', units: 'unit' },
  qemu: { regions: 'region', devices: 'device', disks: 'disk' },
} as const;

/** The first difference of two descriptions, in words; undefined if one machine can go on as the other. */
export function differenceOf(own: MachineDescription, other: MachineDescription): string | undefined {
  const [expected, found] = [own, other] as unknown as Record<string, unknown>[];
  for (const key of ['hypervisor', ...SINGLE[own.hypervisor]])
    if (found[key] !== expected[key]) return `${key} is ${found[key]}, expected ${expected[key]}`;
  for (const [key, singular] of Object.entries(LISTS[own.hypervisor])) {
    const difference = differenceInList(singular, key, expected[key] as Items, found[key] as Items);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

type Items = Record<string, unknown>[];

function differenceInList(singular: string, plural: string, own: Items, other: Items): string | undefined {
  if (own.length !== other.length) return `${other.length} ${plural}, expected ${own.length}`;
  for (const [i, item] of own.entries()) {
    for (const [field, expected] of Object.entries(item)) {
      const found = other[i][field];
      if (found !== expected) return `${field} of ${singular} ${i} is ${found}, expected ${expected}`;
    }
  }
  return undefined;
}
