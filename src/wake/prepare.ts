import type { ByteSource } from '../../formats/files/source.ts';
import { collectUnits } from '../saved-state/reading/collect-units.ts';
import type { WalkOptions } from '../saved-state/reading/walk.ts';
import { type Drive, drivesOf } from './drives.ts';
import { refusalsOf } from './judge.ts';
import { backNotices, type Notice, noticesOf } from './notices.ts';
import { type DiskUse, imageNode, qemuArguments } from './qemu-arguments.ts';
import type { Refusal } from './refusal.ts';
import { MachineUnits } from './units/machine-units.ts';
import { NO_OPTIONS, type WakeOptions } from './wake-options.ts';

/** Judgement on a wake before any QEMU is started. */
export interface PreparedWake {
  units: MachineUnits;
  options: WakeOptions;
  drives: readonly Drive[];
  /** Reasons in the state against waking; empty if there are none. */
  refusals: readonly Refusal[];
  /** Losses, and changes that the guest notices. */
  notices: readonly Notice[];
  /** The notices, given the frequency of the host's time-stamp counter. */
  noticesAt(hostTscHz: number): Notice[];
  /** QEMU's arguments; only without refusals. @param machine type with version, default QEMU's newest */
  arguments(how: { machine?: string; use: DiskUse }): string[];
  /** Images of disks, whose sizes QEMU is asked for. */
  images: readonly DiskImage[];
}

/** The image that is given for a disk. */
export interface DiskImage {
  drive: Drive;
  /** Name of QEMU's block node. */
  node: string;
  /** Value of `-blockdev`. */
  words: string;
}

/**
 * Reads a whole state, and judges whether it can be woken.
 * @param formats of the files of disks, by place, as QEMU names them
 * @throws FormatError for damage, UnsupportedError `not-wakeable` for a needed unit of an unknown version
 */
export async function prepareWake(
  source: ByteSource,
  options: WakeOptions,
  formats: ReadonlyMap<string, string>,
  walk: Pick<WalkOptions, 'signal' | 'onProgress'> = {},
): Promise<PreparedWake> {
  return judged(new MachineUnits(await collectUnits(source, { ...walk, skipCrc: false })), options, formats);
}

function judged(units: MachineUnits, options: WakeOptions, formats: ReadonlyMap<string, string>): PreparedWake {
  const refusals = refusalsOf(units, options);
  const drives = refusals.length > 0 ? [] : drivesOf(units, options.without);
  const imageOf = (drive: Drive): DiskImage[] => {
    const file = options.disks.get(drive.place);
    if (drive.kind !== 'disk' || file === undefined) return [];
    return [{ drive, ...imageNode(drive.place, file, formats.get(drive.place) ?? 'raw') }];
  };
  const notices = (hostTscHz?: number) =>
    refusals.length > 0 ? [] : [...noticesOf(units, options, hostTscHz), ...backNotices(drives, formats)];
  return {
    ...{ units, options, refusals, drives },
    images: drives.flatMap(imageOf),
    notices: notices(),
    noticesAt: notices,
    arguments: (how) => qemuArguments(units, options, { ...how, formats }),
  };
}

/**
 * Judges a state alone, as if an image was given for each disk, and no other option.
 * @throws as `prepareWake`
 */
export async function foreseeWake(
  source: ByteSource,
  walk: Pick<WalkOptions, 'signal' | 'onProgress'> = {},
): Promise<PreparedWake> {
  const units = new MachineUnits(await collectUnits(source, walk));
  const drives = drivesOf(units, NO_OPTIONS.without);
  const disks = new Map(drives.filter(({ kind }) => kind === 'disk').map(({ place }) => [place, 'FILE']));
  return judged(units, { ...NO_OPTIONS, disks }, new Map());
}
