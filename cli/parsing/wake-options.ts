import { resolve } from 'node:path';
import type { Argv } from 'yargs';
import { UsageError } from '../../formats/errors.ts';
import type { WakeOptions } from '../../src/wake/wake-options.ts';
import type { OptionsOf } from './options-of.ts';

export function withWakeOptions<T>(argv: Argv<T>) {
  return argv
    .option('disk', {
      type: 'string',
      array: true,
      nargs: 1,
      describe:
        'Image of a disk, or medium of a drive, as PLACE=FILE, such as ide0:0=disk.vdi; may be given several times',
    })
    .option('without', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Device to leave out, by the name of its unit; may be given several times',
    })
    .option('serial', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Backend of the next serial port, as for -chardev of QEMU; default: null',
    })
    .option('net', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Backend of the next network card, as for -netdev of QEMU; default: user',
    })
    .option('accel', {
      choices: ['tcg', 'kvm'] as const,
      default: 'tcg' as const,
      describe: 'How QEMU executes the guest',
    });
}

/** Options for waking a state. */
export type WakeFlags = OptionsOf<typeof withWakeOptions>;

/** @throws UsageError for a disk that is not given as PLACE=FILE, or twice */
export function wakeOptionsOf({ disk = [], without = [], serial = [], net = [], accel }: WakeFlags): WakeOptions {
  const disks = new Map<string, string>();
  for (const words of disk) {
    const [, place, file] = /^([a-z]+\d+:\d+)=(.+)$/s.exec(words) ?? [];
    if (place === undefined)
      throw new UsageError('usage', `Cannot use --disk ${words}: expected PLACE=FILE, such as ide0:0=disk.raw`);
    if (disks.has(place)) throw new UsageError('usage', `Cannot use --disk ${words}: ${place} is given twice`);
    // A full path, since QEMU takes a name such as a:b for a protocol, and its command line is used in any folder.
    disks.set(place, resolve(file));
  }
  return { disks, without: new Set(without), serial, network: net, accelerator: accel };
}
