import { DEFAULT_RAM_HOLE } from '../../formats/pgm/ranges.ts';
import { FOUR_GIB, KIB, MIB } from '../../formats/sizes.ts';
import type { Uart } from '../../formats/units/chipset/serial.ts';
import type { Vga } from '../../formats/units/display/codecs.ts';
import { type E1000, E1000_CHIPS } from '../../formats/units/network/codecs.ts';
import { ramConfigOf } from '../saved-state/layout/memory-map.ts';
import { drivesOf } from './drives.ts';
import { type NetworkCard, networkCards } from './network-cards.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/** QEMU's names of the models of e1000. */
const CARD_MODELS: Readonly<Record<string, string>> = { [E1000_CHIPS[0]]: 'e1000', [E1000_CHIPS[2]]: 'e1000-82545em' };

/** Where the graphics adapter is, in both machines. */
const GRAPHICS_PLACE = '02.0';

/** Memory that QEMU's VGA has at least. */
const MIN_VIDEO_MEMORY = MIB;

/** How the disks are to be opened: as they are, or so that nothing is written to them. */
export type DiskUse = 'disks' | 'snapshots';

/**
 * Arguments of a QEMU with the same devices as the state's machine, whatever its release.
 * @param machine type with its version, once the template has told it; else QEMU's newest
 */
export function qemuArguments(
  units: MachineUnits,
  options: WakeOptions,
  {
    machine = 'pc',
    use = 'disks' as DiskUse,
    formats,
  }: { machine?: string; use?: DiskUse; formats: ReadonlyMap<string, string> },
): string[] {
  const { state } = units.collected;
  const { ramSize, ramHole } = state.pgm ? ramConfigOf(state.pgm) : { ramSize: 0, ramHole: DEFAULT_RAM_HOLE };
  const cpus = state.cpum?.cpus.length ?? 1;
  const split = ramSize > FOUR_GIB - ramHole ? `,max-ram-below-4g=${FOUR_GIB - ramHole}` : '';
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-accel', options.accelerator, '-cpu', 'max', '-smp', `${cpus},maxcpus=${cpus}`],
    ...['-m', `${ramSize / KIB}k`, '-rtc', 'base=utc,clock=vm'],
    ...['-machine', `${machine},hpet=off,vmport=off${split}`],
    ...graphics(units),
    ...units.instancesOf('serial').flatMap((instance) => serialPort(units, instance, options)),
    ...drivesOf(units).flatMap((drive) => {
      const { place, channel, unit, kind, serial, model, firmware, geometry } = drive;
      const file = options.disks.get(place);
      const id = `${place.replace(':', '-')}`;
      const names = `serial=${escaped(serial)},model=${escaped(model)},ver=${escaped(firmware)}`;
      const shape =
        kind === 'disk' ? `,cyls=${geometry.cylinders},heads=${geometry.heads},secs=${geometry.sectors}` : '';
      return [
        ...(file === undefined ? [] : ['-drive', driveArgument(id, file, formats.get(place) ?? 'raw', kind, use)]),
        '-device',
        `ide-${kind === 'disk' ? 'hd' : 'cd'},bus=ide.${channel},unit=${unit}${file === undefined ? '' : `,drive=${id}`},${names}${shape}`,
      ];
    }),
    ...networkCards(units, options).flatMap((card) => networkCard(units, card, options)),
  ];
}

function graphics(units: MachineUnits): string[] {
  const vga = units.find<Vga>('vga/0');
  return vga ? ['-device', `VGA,vgamem_mb=${videoMemory(vga.vramSize) / MIB},addr=${GRAPHICS_PLACE}`] : [];
}

/** The smallest size that QEMU's VGA can have for so much video memory. */
export function videoMemory(size: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(size, MIN_VIDEO_MEMORY)));
}

function driveArgument(id: string, file: string, format: string, kind: 'disk' | 'cd', use: DiskUse): string {
  const care = kind === 'cd' ? ',readonly=on' : use === 'snapshots' ? ',snapshot=on' : '';
  return `if=none,id=${id},file=${escaped(file)},format=${format}${care}`;
}

function serialPort(units: MachineUnits, instance: number, { serial }: WakeOptions): string[] {
  const { port, irq } = units.need<Uart>(`serial/${instance}`);
  return [
    '-chardev',
    `${serial[instance] ?? 'null'},id=serial${instance}`,
    '-device',
    `isa-serial,iobase=0x${port.toString(16)},irq=${irq},index=${instance},chardev=serial${instance}`,
  ];
}

function networkCard(units: MachineUnits, { instance, place }: NetworkCard, { network }: WakeOptions): string[] {
  const { chip, mac } = units.need<E1000>(`e1000/${instance}`);
  const address = Buffer.from(mac).toString('hex').match(/../g)?.join(':');
  return [
    '-netdev',
    `${network[instance] ?? 'user'},id=net${instance}`,
    '-device',
    `${CARD_MODELS[E1000_CHIPS[chip]]},netdev=net${instance},mac=${address},addr=${place},romfile=`,
  ];
}

/** A comma ends a value, unless it is doubled. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
