import type { Correspondence } from '../template/correspondence.ts';
import type { SectionImage } from '../template/section-image.ts';
import type { QemuBoard } from './chipset/board.ts';
import { dmaController } from './chipset/dma.ts';
import { hpet } from './chipset/hpet.ts';
import { ioApic, pic } from './chipset/interrupt-controllers.ts';
import { intervalTimer, speaker } from './chipset/interval-timer.ts';
import { power } from './chipset/power.ts';
import { realTimeClock } from './chipset/real-time-clock.ts';
import { display } from './ports/display.ts';
import { floppy } from './ports/floppy.ts';
import { keyboard, keyboardController, mouse } from './ports/keyboard.ts';
import { ide } from './storage/ide.ts';

/** A device of VirtualBox, and the device of QEMU that takes its state. */
export interface DeviceRow {
  /** `name/instance` of VirtualBox's unit. */
  unit: string;
  /** Part of the unit; absent: all of it. */
  part?: string;
  /** Name and instance of QEMU's section. */
  section: readonly [string, number];
  table: readonly Correspondence[] | ((section: SectionImage) => readonly Correspondence[]);
}

/** @param section of this QEMU, which decides some of the fields */
export function rowsOf({ table }: DeviceRow, section: SectionImage): readonly Correspondence[] {
  return typeof table === 'function' ? table(section) : table;
}

/** Devices of which a machine has one, in the order in which they are carried over. */
const ON_EVERY_BOARD: readonly DeviceRow[] = [
  { unit: 'i8259/0', part: 'master', section: ['i8259', 0], table: pic },
  { unit: 'i8259/0', part: 'slave', section: ['i8259', 1], table: pic },
  { unit: 'ioapic/0', section: ['ioapic', 0], table: ioApic },
  { unit: 'i8254/0', section: ['i8254', 0], table: intervalTimer },
  { unit: 'i8254/0', section: ['pcspk', 0], table: speaker },
  { unit: 'hpet/0', section: ['hpet', 0], table: hpet },
  { unit: 'mc146818/0', section: ['mc146818rtc', 0], table: realTimeClock },
  { unit: '8237A/0', part: 'controllers[0]', section: ['dma', 0], table: dmaController(0n) },
  { unit: '8237A/0', part: 'controllers[1]', section: ['dma', 1], table: dmaController(1n) },
  { unit: 'pckbd/0', section: ['pckbd', 0], table: keyboardController },
  { unit: 'pckbd/0', section: ['ps2kbd', 0], table: keyboard },
  { unit: 'pckbd/0', section: ['ps2mouse', 0], table: mouse },
  { unit: 'i82078/0', section: ['fdc', 0], table: floppy },
];

/** The devices of a machine on this board. */
export function deviceTable({ sections, powerRegisters }: QemuBoard): DeviceRow[] {
  return [
    ...ON_EVERY_BOARD,
    { unit: 'acpi/0', section: [sections.POWER, 0], table: power(powerRegisters) },
    { unit: 'piix3ide/0', section: [sections.IDE, 0], table: ide },
    { unit: 'vga/0', section: [sections.GRAPHICS, 0], table: display },
  ];
}
