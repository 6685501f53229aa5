import { cpus } from 'node:os';
import type { Piix3Bus } from '../../formats/units/chipset/pci-codec.ts';
import type { Gim } from '../../formats/units/cpu/gim.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import { drivesOf } from './drives.ts';
import { interruptRoutes } from './put-state.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { NoticeCode } from './wake-codes.ts';
import type { WakeOptions } from './wake-options.ts';

/** Something that a woken guest lacks, or does otherwise. */
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

/** All that is to be said of a state that can be woken. */
export function noticesOf(units: MachineUnits, options: WakeOptions): Notice[] {
  const { state } = units.collected;
  const names = [...new Set(state.units.map(({ name }) => name))];
  const dropped = names.filter((name) => options.without.has(name));
  const notices = dropped.map((name) =>
    lost('dropped', `device ${name}, by --without: its driver will find nothing there`),
  );
  if (names.includes('VMMDev'))
    notices.push(
      lost(
        'additions',
        'VMMDev: of guest additions, if there are any, time synchronisation, shared folders, clipboard and ' +
          'absolute mouse',
      ),
    );
  if (units.has('acpi/0'))
    notices.push(
      lost('gpe', 'events of ACPI beyond the fixed ones (power button, battery): their ports answer with ones'),
    );
  for (const { place, kind } of drivesOf(units))
    if (kind === 'cd' && !options.disks.has(place))
      notices.push(lost('medium', `the medium in the drive at ${place}, if there was one`));
  return [...notices, ...timeNotices(units, options), ...interruptNotices(units, options)];
}

function timeNotices(units: MachineUnits, { accelerator }: WakeOptions): Notice[] {
  const { tscHz } = units.need<Tm>('tm/1');
  const notices: Notice[] = [];
  if (accelerator === 'tcg') {
    const hostMhz = cpus()[0]?.speed ?? 0;
    const factor = hostMhz > 0 ? ` (${hostMhz} MHz here: ${((hostMhz * MHZ) / tscHz).toFixed(4)} times as fast)` : '';
    notices.push(
      warning(
        'tsc',
        `the time stamp counter ran at ${(tscHz / MHZ).toFixed(2)} MHz and will run at the host's${factor}: a ` +
          'guest whose clock it is goes wrong by that factor',
      ),
    );
  }
  if ((units.find<Gim>('GIM/0')?.provider ?? 0) === KVM)
    notices.push(warning('kvm-clock', 'the guest’s clock of KVM stays readable, but nobody writes it any more'));
  return notices;
}

function interruptNotices(units: MachineUnits, options: WakeOptions): Notice[] {
  const routes = interruptRoutes(units, options);
  if (!routes) return [];
  const count = units.collected.state.cpum?.cpus.length ?? 1;
  const nameOf = ({ devfn }: Piix3Bus['devices'][number]) =>
    `${(devfn >>> 3).toString(16).padStart(2, '0')}.${devfn & 7}`;
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
