import { KIB, MIB } from '../../formats/sizes.ts';
import { placeName } from '../../formats/units/chipset/pci-codec.ts';
import type { Uart } from '../../formats/units/chipset/serial.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import type { Vga } from '../../formats/units/display/codecs.ts';
import { type E1000, E1000_CHIPS, macText, type Pcnet } from '../../formats/units/network/codecs.ts';
import { type Card, cardsOf } from './cards.ts';
import { boardOf } from './devices/chipset/boards.ts';
import { HPET_TIMERS, hpetThatGoesOn } from './devices/chipset/hpet.ts';
import { AHCI_ID, type Drive, drivesOf } from './drives.ts';
import { gapMemory, gapPlace, ramPlan } from './ram-plan.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/** QEMU's names of the models of e1000. */
const CARD_MODELS: Readonly<Record<string, string>> = { [E1000_CHIPS[0]]: 'e1000', [E1000_CHIPS[2]]: 'e1000-82545em' };

const SECTOR = 512;

/** Place of the graphics adapter, in both machines. */
const GRAPHICS_PLACE = '02.0';

/** Smallest video memory of QEMU's VGA. */
const MIN_VIDEO_MEMORY = MIB;

/**
 * Use of disks: opened for writing; as snapshots, so that nothing is written to them; or not at all, with empty disks
 * of their sizes in their place, since QEMU cannot save a stream with images of every format.
 */
export type DiskUse = 'disks' | 'snapshots' | 'stand-ins';

/**
 * Arguments of a QEMU with the same devices as the state's machine, whatever its release.
 * @param machine type with its version, if the template tells it; else QEMU's newest
 */
export function qemuArguments(
  units: MachineUnits,
  options: WakeOptions,
  {
    machine = boardOf(units).machine as string,
    use = 'disks' as DiskUse,
    formats,
  }: { machine?: string; use?: DiskUse; formats: ReadonlyMap<string, string> },
): string[] {
  const { state } = units.collected;
  const board = boardOf(units);
  const { ramSize, lowEnd, gaps } = ramPlan(state);
  const cpus = state.cpum?.cpus.length ?? 1;
  const cards = cardsOf(units, options.without);
  const hpet = hpetThatGoesOn(units, options.without);
  const split = lowEnd === undefined ? '' : `,max-ram-below-4g=${lowEnd}`;
  return [
    ...['-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-accel', options.accelerator, '-cpu', processor(units, options), '-smp', `${cpus},maxcpus=${cpus}`],
    ...['-m', `${ramSize / KIB}k`, '-rtc', 'base=utc,clock=vm'],
    ...['-machine', `${machine},hpet=${hpet ? 'on' : 'off'},vmport=off${board.machineWords}${split}`],
    ...gaps.flatMap(({ size }, i) => gapArguments(i, size)),
    ...(hpet && hpet.count > HPET_TIMERS ? ['-global', `hpet.timers=${hpet.count}`] : []),
    ...board.moreChips(units),
    ...graphics(units),
    ...units.instancesOf('serial').flatMap((instance) => serialPort(units, instance, options)),
    ...cards.flatMap(({ kind, place }) =>
      kind.unit === 'ahci' ? ['-device', `ich9-ahci,id=${AHCI_ID},addr=${place}`] : [],
    ),
    ...drivesOf(units, options.without).flatMap((drive) => driveArguments(drive, options, formats, use)),
    ...cards.filter(({ kind }) => kind.isNetwork).flatMap((card, number) => networkCard(units, card, number, options)),
  ];
}

/**
 * The processor. With KVM its time stamp counter can keep the rate that the guest has measured; with TCG it has the
 * host's.
 */
function processor(units: MachineUnits, { accelerator }: WakeOptions): string {
  return accelerator === 'kvm' ? `max,tsc-frequency=${units.need<Tm>('tm/1').tscHz}` : 'max';
}

/** Arguments for RAM that QEMU's board has no room for: device memory at the same addresses. */
function gapArguments(index: number, size: number): string[] {
  const id = gapMemory(index);
  const first = index === 0 ? ',multifunction=on' : '';
  return [
    ...['-object', `memory-backend-ram,id=${id},size=${size}`],
    ...['-device', `ivshmem-plain,memdev=${id},master=on,addr=${placeName(gapPlace(index))}${first}`],
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

function driveArguments(
  { place, bus, kind, serial, model, firmware, geometry, sectors }: Drive,
  { disks }: WakeOptions,
  formats: ReadonlyMap<string, string>,
  use: DiskUse,
): string[] {
  const file = disks.get(place);
  const id = place.replace(':', '-');
  const names = `serial=${escaped(serial)},model=${escaped(model)},ver=${escaped(firmware)}`;
  const shape = kind === 'disk' ? `,cyls=${geometry.cylinders},heads=${geometry.heads},secs=${geometry.sectors}` : '';
  const device = `ide-${kind === 'disk' ? 'hd' : 'cd'},bus=${bus}`;
  if (file === undefined) return ['-device', `${device},${names}${shape}`];
  if (use === 'stand-ins' && kind === 'disk')
    return [
      ...['-drive', `if=none,id=${id},driver=null-co,size=${sectors * SECTOR}`],
      ...['-device', `${device},drive=${id},${names}${shape}`],
    ];
  const care = kind === 'cd' ? ',readonly=on' : use === 'snapshots' ? ',snapshot=on' : '';
  const format = formats.get(place) ?? 'raw';
  return [
    ...['-drive', `if=none,id=${id},file=${escaped(file)},format=${format}${care}`],
    ...['-device', `${device},drive=${id},${names}${shape}`],
  ];
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

function networkCard(units: MachineUnits, card: Card, number: number, { network }: WakeOptions): string[] {
  const { model, mac } = networkModel(units, card);
  return [
    '-netdev',
    `${network[number] ?? 'user'},id=net${number}`,
    '-device',
    `${model},netdev=net${number},mac=${macText(mac)},addr=${card.place},romfile=`,
  ];
}

function networkModel(units: MachineUnits, { kind, unit }: Card): { model: string; mac: Uint8Array } {
  if (kind.unit === 'pcnet') return { model: 'pcnet', mac: units.need<Pcnet>(unit).mac };
  const { chip, mac } = units.need<E1000>(unit);
  return { model: CARD_MODELS[E1000_CHIPS[chip]], mac };
}

/** A block node for a disk's image that no device uses, for inspection: its name, and its argument. */
export function imageNode(place: string, file: string, format: string): { node: string; words: string } {
  const node = `image-${place.replace(':', '-')}`;
  return {
    node,
    words: `driver=${format},node-name=${node},read-only=on,file.driver=file,file.filename=${escaped(file)}`,
  };
}

/** A comma ends a value, unless it is doubled. */
function escaped(value: string): string {
  return value.replaceAll(',', ',,');
}
