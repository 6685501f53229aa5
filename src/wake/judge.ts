import type { Floppy } from '../../formats/units/chipset/legacy.ts';
import { VMWARE } from '../../formats/units/chipset/pci-ids.ts';
import type { Hpet } from '../../formats/units/chipset/timers.ts';
import { isVbeOn, type Vga } from '../../formats/units/display/codecs.ts';
import { type E1000, E1000_CHIPS, PCNET_TYPES, type Pcnet } from '../../formats/units/network/codecs.ts';
import type { Ahci, Ide } from '../../formats/units/storage/ata-codecs.ts';
import { CARD_KINDS, cardsOf } from './cards.ts';
import { roleOf } from './device-roles.ts';
import { busOf } from './devices/chipset/bus.ts';
import { HPET_PERIOD, isInUse, periodOf } from './devices/chipset/hpet.ts';
import { isBusy } from './devices/storage/ide.ts';
import { drivesOf, portsTooHigh } from './drives.ts';
import { PROCESSOR_RULES } from './processor-rules.ts';
import { MAX_GAPS, ramPlan } from './ram-plan.ts';
import { ANOTHER_GUEST, ANOTHER_MOMENT, type Refusal, type Rule, refusal } from './refusal.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/** All reasons in the state itself, before any QEMU is started. */
export function refusalsOf(units: MachineUnits, options: WakeOptions): Refusal[] {
  const refusals: Refusal[] = [];
  for (const rule of RULES) {
    refusals.push(...rule(units, options));
    // The other rules need these units.
    if (rule === neededUnits && refusals.length > 0) break;
  }
  return refusals;
}

/** Units without which no machine can continue. */
const NEEDED = ['cpum/1', 'tm/1', 'em/0', 'apic/0', 'i8259/0', 'i8254/0', 'mc146818/0'];

const neededUnits: Rule = (units) => {
  const missing = NEEDED.filter((unit) => !units.has(unit));
  return missing.length === 0
    ? []
    : [refusal('unit-missing', `it has no ${missing.join(', ')}`, 'a state as VirtualBox wrote it has them')];
};

function dropped(device: string): Refusal {
  const reason = `device ${device} has no counterpart in QEMU that can take its state`;
  return { ...refusal('device', reason, `--without ${device} drops it`), device };
}

const NO_WAY = 'there is no way yet';

const RULES: readonly Rule[] = [
  neededUnits,
  function chipset(units) {
    if (units.has('efi/0')) return [refusal('efi', 'the machine has EFI firmware, whose state is not known', NO_WAY)];
    return busOf(units)
      ? []
      : [refusal('chipset', 'it has no unit pci or ich9pci, and so no chipset that is known', NO_WAY)];
  },

  function devices(units, { without }) {
    const names = new Set([...units.collected.units.values()].map(({ header }) => header.name));
    return [...names].flatMap((name) => {
      const role = roleOf(name);
      if (role === 'disks' && !without.has(name))
        return [
          refusal(
            'disks',
            `device ${name} has no counterpart in QEMU that can take its state`,
            `--without ${name} drops it, and the guest loses its disks and drives`,
          ),
        ];
      if (role === 'other' && !without.has(name)) return [dropped(name)];
      return [];
    });
  },

  function givenDisks(units, { disks, without }) {
    const drives = drivesOf(units, without);
    const lost = drives.filter(({ kind, place }) => kind === 'disk' && !disks.has(place));
    const unknown = [...disks.keys()].filter((place) => !drives.some((drive) => drive.place === place));
    return [
      ...lost.map(({ place, model }) =>
        refusal(
          'no-disk',
          `its disk at ${place} (${model}) is not given, and the guest would lose it`,
          `--disk ${place}=FILE`,
        ),
      ),
      ...unknown.map((place) =>
        refusal('no-such-drive', `it has no disk or drive at ${place}`, `leave --disk ${place}=… away`),
      ),
    ];
  },

  function busyIde(units, { without }) {
    if (without.has('piix3ide')) return [];
    const ide = units.find<Ide>('piix3ide/0');
    return (ide?.controllers ?? []).flatMap(({ redo, drives }, channel) =>
      redo || drives.some(({ status }, unit) => ide?.channels[channel].devices[unit].attached && isBusy(status))
        ? [refusal('busy-disk', `a transfer of IDE channel ${channel} is under way`, ANOTHER_MOMENT)]
        : [],
    );
  },

  function ahci(units, { without }) {
    const unit = without.has('ahci') ? undefined : units.find<Ahci>('ahci/0');
    if (!unit) return [];
    const COALESCES = 1;
    return [
      ...portsTooHigh(drivesOf(units, without)).map((place) =>
        refusal('port', `QEMU’s controller has no port for the drive at ${place}`, 'attach it to one of the first six'),
      ),
      ...((unit.coalescingControl & COALESCES) !== 0
        ? [refusal('coalescing', 'the guest uses interrupt coalescing of its AHCI controller', ANOTHER_GUEST)]
        : []),
    ];
  },

  function memory(units) {
    return ramPlan(units.collected.state).gaps.length <= MAX_GAPS
      ? []
      : [
          refusal(
            'ram-hole',
            'its hole below 4 GiB begins at an address up to which QEMU cannot show RAM',
            'there is no way for this machine',
          ),
        ];
  },

  function hpet(units, { without }) {
    const unit = without.has('hpet') ? undefined : units.find<Hpet>('hpet/0');
    return unit && isInUse(unit) && periodOf(unit) !== HPET_PERIOD
      ? [
          refusal(
            'hpet',
            `its HPET ticks every ${periodOf(unit)} fs, QEMU's every ${HPET_PERIOD}`,
            "boot the guest without it (Linux: hpet=disable); --without hpet drops it, and the guest's clock may stop",
          ),
        ]
      : [];
  },

  function busyFloppy(units) {
    const BUSY = 0x10;
    const floppy = units.find<Floppy>('i82078/0');
    return floppy && (floppy.msr & BUSY) !== 0
      ? [refusal('busy-floppy', 'a command of the floppy controller is under way', ANOTHER_MOMENT)]
      : [];
  },

  ...PROCESSOR_RULES,

  function networkCards(units, { without }) {
    const models: [string, (unit: string) => string, readonly string[]][] = [
      ['e1000', (unit) => E1000_CHIPS[units.need<E1000>(unit).chip], ['82540EM', '82545EM']],
      ['pcnet', (unit) => PCNET_TYPES[units.need<Pcnet>(unit).type], ['Am79C970A', 'Am79C973']],
    ];
    return models
      .filter(([name]) => !without.has(name))
      .flatMap(([name, modelOf, known]) =>
        units
          .instancesOf(name)
          .map((instance) => modelOf(`${name}/${instance}`))
          .filter((model) => !known.includes(model))
          .map((model) => refusal('network-card', `QEMU has no network card ${model}`, `--without ${name} drops it`)),
      );
  },

  function places(units, { without }) {
    if (!busOf(units)) return [];
    const found = cardsOf(units, without).map(({ unit }) => unit);
    return CARD_KINDS.filter(({ unit }) => !without.has(unit)).flatMap(({ unit }) =>
      units
        .instancesOf(unit)
        .map((instance) => `${unit}/${instance}`)
        .filter((each) => !found.includes(each))
        .map((each) => refusal('place', `device ${each} is not where it is known to be`, `--without ${unit} drops it`)),
    );
  },

  function graphics(units) {
    const vga = units.find<Vga>('vga/0');
    return vga && usesSvga(units, vga)
      ? [
          refusal(
            'svga',
            'the guest draws through VMSVGA, which QEMU’s VGA lacks',
            'switch the guest to a text console before it is saved',
          ),
        ]
      : [];
  },
];

const GRAPHICS_SLOT = 0x10;

/** Whether the screen is in a mode of VMSVGA, which shows only in VGA registers that fit no VGA mode. */
function usesSvga(units: MachineUnits, vga: Vga): boolean {
  const adapter = units.collected.state.pciSlots?.find(({ devfn }) => devfn === GRAPHICS_SLOT);
  return adapter?.vendorId === VMWARE && !isVbeOn(vga) && (vga.sequencer[4] & 4) !== 0;
}
