import type { Acpi } from '../../formats/units/chipset/legacy.ts';
import { placeName } from '../../formats/units/chipset/pci-codec.ts';
import type { Gim } from '../../formats/units/cpu/gim.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import { PCNET_TYPES, type Pcnet } from '../../formats/units/network/codecs.ts';
import { cardsOf } from './cards.ts';
import { hpetThatGoesOn } from './devices/chipset/hpet.ts';
import type { BusDevice } from './devices/chipset/pci.ts';
import { type Drive, drivesOf } from './drives.ts';
import { interruptRoutes } from './put-bus.ts';
import { ramPlan } from './ram-plan.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { NoticeCode } from './wake-codes.ts';
import type { WakeOptions } from './wake-options.ts';

/** A device or function that a woken guest loses, or a risk to it. */
export interface Notice {
  /** `lost`: a device or its state is gone. `warning`: the guest may have trouble. */
  kind: 'lost' | 'warning';
  code: NoticeCode;
  message: string;
}

const lost = (code: NoticeCode, message: string): Notice => ({ kind: 'lost', code, message });
const warning = (code: NoticeCode, message: string): Notice => ({ kind: 'warning', code, message });

const KVM = 3;
const MHZ = 1_000_000;

/** All losses and risks of a state that can be woken. @param hostTscHz rate of the host's time stamp counter */
export function noticesOf(units: MachineUnits, options: WakeOptions, hostTscHz?: number): Notice[] {
  const { state } = units.collected;
  const names = [...new Set(state.units.map(({ name }) => name))];
  const dropped = names.filter((name) => options.without.has(name));
  const notices = dropped.map((name) =>
    lost('dropped', `device ${name}, left out by --without: its driver will find nothing there`),
  );
  if (names.includes('VMMDev'))
    notices.push(
      lost(
        'additions',
        'VMMDev: guest additions, if there are any, lose time synchronisation, shared folders, clipboard and ' +
          'absolute mouse',
      ),
    );
  notices.push(...acpiNotices(units));
  if (ramPlan(units.collected.state).gaps.length > 0)
    notices.push(
      warning(
        'ram-gap',
        'QEMU has less RAM below 4 GiB: the rest of the guest’s RAM there becomes memory of PCI devices at 1e.0, ' +
          'which a guest that sets up PCI anew must leave alone',
      ),
    );
  if (units.has('hpet/0') && !options.without.has('hpet') && !hpetThatGoesOn(units, options.without))
    notices.push(lost('no-hpet', 'the HPET, which the guest has not switched on'));
  for (const { kind, unit } of cardsOf(units, options.without))
    if (kind.unit === 'pcnet' && PCNET_TYPES[units.need<Pcnet>(unit).type] === 'Am79C973')
      notices.push(
        warning(
          'no-phy',
          'network card Am79C973: QEMU’s is an Am79C970A, which has no PHY to ask; a driver that watches the ' +
            'link there, as that of Linux does, takes it for unplugged',
        ),
      );
  for (const { place, kind } of drivesOf(units, options.without))
    if (kind === 'cd' && !options.disks.has(place))
      notices.push(lost('medium', `the medium in the drive at ${place}, if there was one`));
  return [...notices, ...timeNotices(units, options, hostTscHz), ...interruptNotices(units, options)];
}

/** Bit of the control register: ACPI is switched on. */
const ACPI_ON = 1;

function acpiNotices(units: MachineUnits): Notice[] {
  const acpi = units.find<Acpi>('acpi/0');
  if (!acpi) return [];
  const gpe = lost('gpe', 'events of ACPI beyond the fixed ones, such as that of a battery');
  if ((acpi.pm1Control & ACPI_ON) !== 0) return [gpe];
  const booting =
    'ACPI, which the guest has not switched on: a system that is still booting goes on without it, and gets no ' +
    'interrupts of PCI devices through the I/O APIC';
  return [gpe, lost('no-acpi', booting)];
}

function timeNotices(units: MachineUnits, { accelerator }: WakeOptions, hostTscHz?: number): Notice[] {
  const { tscHz } = units.need<Tm>('tm/1');
  const notices: Notice[] = [];
  if (accelerator === 'tcg') {
    const factor =
      hostTscHz === undefined
        ? ''
        : ` (${(hostTscHz / MHZ).toFixed(2)} MHz: ${(hostTscHz / tscHz).toFixed(4)} times as fast)`;
    notices.push(
      warning(
        'tsc',
        `the time stamp counter ran at ${(tscHz / MHZ).toFixed(2)} MHz and will run at the host's${factor}: a ` +
          'guest that takes its time from it goes wrong by that factor',
      ),
    );
  }
  if (accelerator === 'kvm')
    notices.push(
      warning(
        'tsc',
        `the time stamp counter goes on at ${(tscHz / MHZ).toFixed(2)} MHz, if the processor of the host can scale ` +
          'its own; where it cannot, QEMU says so and does not start',
      ),
    );
  else if ((units.find<Gim>('GIM/0')?.provider ?? 0) === KVM)
    notices.push(warning('kvm-clock', 'the guest’s clock of KVM stays readable, but nobody writes it any more'));
  return notices;
}

function interruptNotices(units: MachineUnits, options: WakeOptions): Notice[] {
  const routes = interruptRoutes(units, cardsOf(units, options.without));
  if (!routes) return [];
  const count = units.collected.state.cpum?.cpus.length ?? 1;
  const nameOf = ({ devfn }: BusDevice) => placeName(devfn);
  return [
    ...routes.unrouted.map((device) =>
      warning(
        'no-interrupts',
        `PCI device ${nameOf(device)}: the guest has not set up its interrupt yet, and will get none from it`,
      ),
    ),
    ...routes.homeless.map((device) =>
      warning(
        'no-interrupts',
        `PCI device ${nameOf(device)}: no line is free for its interrupt, and the guest will get none from it`,
      ),
    ),
    ...(routes.twins.length > 0
      ? [
          warning(
            'twin-lines',
            `interrupts of ${routes.twins.map(({ device }) => nameOf(device)).join(', ')} arrive as long as ` +
              `the guest does not set them up anew (driver loaded again${count > 1 ? ', irqbalance' : ''})`,
          ),
        ]
      : []),
  ];
}

/** Image formats with which QEMU can save a machine, so that it can go back to VirtualBox. */
const FORMATS_WITH_WAY_BACK = ['raw', 'qcow2'];

/** @param formats of the images, by place */
export function backNotices(drives: readonly Drive[], formats: ReadonlyMap<string, string>): Notice[] {
  return drives.flatMap(({ place }) => {
    const format = formats.get(place) ?? 'raw';
    return FORMATS_WITH_WAY_BACK.includes(format)
      ? []
      : [
          warning(
            'no-way-back',
            `the image at ${place} has the format ${format}, with which QEMU does not save machines: to be able ` +
              'to go back to VirtualBox, turn it into qcow2 first (qemu-img convert -O qcow2)',
          ),
        ];
  });
}
