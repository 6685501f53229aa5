import type { I8259 } from '../../../../formats/units/chipset/interrupt-controllers.ts';
import type { Ide } from '../../../../formats/units/storage/ata-codecs.ts';
import { type Correspondence, computed, converted, same, sameEach } from '../../template/correspondence.ts';

/** Bits of a drive's status: busy, or waiting for data. */
const BUSY = 0x80;
const DATA_REQUEST = 0x08;

/** Whether a transfer of a drive is under way. */
export function isBusy(status: number): boolean {
  return (status & (BUSY | DATA_REQUEST)) !== 0;
}

/**
 * Bits of a bus master's status: active, error, interrupt. The higher bits tell in VirtualBox that a drive can do DMA;
 * QEMU keeps requests there that are to be tried again.
 */
const BUS_MASTER_STATUS = 7n;
/** Bits of the drive-select register that are always 1. */
const SELECT_ONES = 0xa0n;
/** Status of a drive that is not there. */
const ABSENT = 0n;

const REGISTERS = [
  ['mult_sectors', 'multSectors'],
  ['feature', 'feature'],
  ['error', 'error'],
  ['nsector', 'nsector'],
  ['sector', 'sector'],
  ['lcyl', 'lcyl'],
  ['hcyl', 'hcyl'],
  ['hob_feature', 'hobFeature'],
  ['hob_sector', 'hobSector'],
  ['hob_nsector', 'hobNsector'],
  ['hob_lcyl', 'hobLcyl'],
  ['hob_hcyl', 'hobHcyl'],
  ['lba48', 'lba48'],
] as const;

/** Unit piix3ide. */
export const ide: readonly Correspondence<Ide>[] = [0, 1].flatMap((channel) => [
  ...busMaster(channel),
  ...[0, 1].flatMap((drive) => driveTable(channel, drive)),
]);

function busMaster(channel: number): Correspondence<Ide>[] {
  const controller = `controllers[${channel}].`;
  return [
    same(`bmdma[${channel}].cmd`, `${controller}busMasterCommand`),
    same(`bmdma[${channel}].addr`, `${controller}busMasterAddress`),
    converted(
      `bmdma[${channel}].migration_compat_status`,
      `${controller}busMasterStatus`,
      (status) => status & BUS_MASTER_STATUS,
      (status, before) => (status & BUS_MASTER_STATUS) | (before & ~BUS_MASTER_STATUS),
    ),
    same(`bus[${channel}].cmd`, `${controller}drives[0].deviceControl`),
    same(`bus[${channel}].unit`, `${controller}selected`),
  ];
}

function driveTable(channel: number, drive: number): Correspondence<Ide>[] {
  const qemu = `bus[${channel}].ifs[${drive}].`;
  const vbox = `controllers[${channel}].drives[${drive}].`;
  const isAttached = (part: Ide) => part.channels[channel].devices[drive].attached;
  return [
    ...sameEach(qemu, vbox, REGISTERS),
    converted(
      `${qemu}select`,
      `${vbox}select`,
      (select) => select | SELECT_ONES,
      (select) => select,
    ),
    {
      ...same(`${qemu}status`, `${vbox}status`),
      wake: (part) => (isAttached(part) ? BigInt(part.controllers[channel].drives[drive].status) : ABSENT),
    },
    // Result of the last command, for CD drives.
    computed(`${qemu}sense_key`, (part) => senseOf(part, channel, drive)?.key),
    computed(`${qemu}asc`, (part) => senseOf(part, channel, drive)?.code),
  ];
}

/** Offsets in the answer to REQUEST SENSE. */
const SENSE_KEY = 2;
const SENSE_CODE = 12;

function senseOf(part: Ide, channel: number, drive: number): { key: bigint; code: bigint } | undefined {
  const { atapi, sense } = part.controllers[channel].drives[drive];
  return atapi ? { key: BigInt(sense[SENSE_KEY] & 15), code: BigInt(sense[SENSE_CODE]) } : undefined;
}

/** Bits of the second 8259 for the channels' interrupts. */
const LINES = [0x40, 0x80];

/**
 * Marks drives that have raised their interrupt, so that VirtualBox lowers it later. QEMU does not save such marks, but
 * the line's level in the 8259 shows them.
 */
export function takeInterruptsBack({ controllers }: Ide, { lastIrr }: I8259['slave']): void {
  for (const [channel, { selected, drives }] of controllers.entries())
    for (const [unit, drive] of drives.entries())
      drive.irqPending = unit === selected && (lastIrr & LINES[channel]) !== 0;
}
