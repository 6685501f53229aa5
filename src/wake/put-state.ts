import type { I8259 } from '../../formats/units/chipset/interrupt-controllers.ts';
import type { Apic } from '../../formats/units/cpu/apic.ts';
import type { Gim } from '../../formats/units/cpu/gim.ts';
import type { Tm } from '../../formats/units/cpu/tm.ts';
import { boardOf } from './devices/chipset/boards.ts';
import { hpetThatGoesOn } from './devices/chipset/hpet.ts';
import { wakeCpu } from './devices/cpu/cpu.ts';
import { wakeKvmClock } from './devices/cpu/kvm-clock.ts';
import { hasDeliverable, localApic, setWaitsForStart, takesPic } from './devices/cpu/local-apic.ts';
import { serialPort } from './devices/ports/serial-port.ts';
import { deviceTable, rowsOf } from './devices/table.ts';
import { putBus, putCards } from './put-bus.ts';
import { type Correspondence, type Moment, valueAt, wakeSection } from './template/correspondence.ts';
import type { Template } from './template/template.ts';
import { type CpuState, cpuStates } from './units/cpu-state.ts';
import type { MachineUnits } from './units/machine-units.ts';
import type { WakeOptions } from './wake-options.ts';

/**
 * Puts the state of all devices and processors into the template's sections, in place.
 * @throws UnsupportedError where this QEMU has no field for a value
 */
export function putState(units: MachineUnits, template: Template, options: WakeOptions): void {
  const tm = units.need<Tm>('tm/1');
  const moment: Moment = { now: tm.virtualSync, lag: tm.virtual - tm.virtualSync };
  const clocks = template.section('timer');
  clocks.set('cpu_clock_offset', tm.virtualSync);
  clocks.set('cpu_ticks_offset', tm.tsc[0] ?? 0n);
  putCpus(units, template, moment);
  const gim = units.find<Gim>('GIM/0');
  if (gim) wakeKvmClock(gim, tm, template);
  for (const row of deviceTable(boardOf(units))) {
    const value = goesOn(row.unit, units, options) ? units.find<object>(row.unit) : undefined;
    if (!value) continue;
    const section = template.section(...row.section);
    wakeSection(rowsOf(row, section), partOf(value, row.part), section, moment);
  }
  for (const instance of units.instancesOf('serial'))
    put(template, ['serial', instance], serialPort, units.need(`serial/${instance}`), moment);
  putBus(units, template);
  putCards(units, template, options, moment);
  goOn(template);
}

/** Whether the device exists in QEMU as well. @param unit `name/instance` */
function goesOn(unit: string, units: MachineUnits, { without }: WakeOptions): boolean {
  return unit === 'hpet/0' ? hpetThatGoesOn(units, without) !== undefined : !without.has(unit.split('/')[0]);
}

/** The part of a unit that a table is for. */
export function partOf(unit: object, part: string | undefined): object {
  return part === undefined ? unit : (valueAt(unit, part) as object);
}

function put<Part extends object>(
  template: Template,
  section: readonly [string, number],
  table: readonly Correspondence<Part>[],
  unit: Part,
  moment: Moment,
) {
  wakeSection(table, unit, template.section(...section), moment);
}

/** QEMU's name of the run state, with its NUL. */
const RUNNING = Buffer.from('running\0');

/** Stores that the machine was running, so that QEMU starts it, unless told otherwise. */
function goOn(template: Template): void {
  const section = template.section('globalstate');
  const text = section.bytes('runstate').fill(0);
  text.set(RUNNING);
  section.set('runstate', text);
  section.set('size', BigInt(RUNNING.length));
}

function putCpus(units: MachineUnits, template: Template, moment: Moment): void {
  const apics = units.find<Apic>('apic/0')?.cpu ?? [];
  const pics = units.find<I8259>('i8259/0');
  for (const [i, cpu] of cpuStates(units).entries()) {
    wakeCpu(cpu, template.section('cpu', i));
    const own = apics[i];
    const apic = template.section('apic', i);
    if (own) put(template, ['apic', i], localApic, own, moment);
    setWaitsForStart(apic, cpu.run === 'waits-for-start');
    const fromPic = i === 0 && pics !== undefined && wantsPic(pics) && (own === undefined || takesPic(own));
    putRunState(cpu, template, i, (own !== undefined && hasDeliverable(own)) || fromPic);
  }
  const port = template.section('port92');
  const A20 = 2n;
  const isOpen = cpuStates(units)[0]?.a20 ?? true;
  port.set('outport', (port.number('outport') & ~A20) | (isOpen ? A20 : 0n));
}

/** Whether the master 8259 raises its output. */
function wantsPic({ master, slave }: I8259): boolean {
  const waits = ({ irr, imr, isr, specialMask, priorityAdd }: I8259['master'], cascaded = 0) => {
    const requests = (irr | cascaded) & ~imr;
    const served = specialMask !== 0 ? isr & ~imr : isr;
    const rank = (lines: number) => {
      for (let n = 0; n < 8; n++) if (((lines >>> ((n + priorityAdd) & 7)) & 1) !== 0) return n;
      return 8;
    };
    return rank(requests) < rank(served);
  };
  const CASCADE = 4;
  return waits(master, waits(slave) ? CASCADE : 0);
}

/** Bit of QEMU's `interrupt_request` for an interrupt of a device (CPU_INTERRUPT_HARD). */
const HARDWARE = 2n;
/** KVM's numbers for the run state of a CPU (KVM_MP_STATE). */
const RunState = { runs: 0n, 'waits-for-start': 1n, halted: 3n } as const;

function putRunState({ run }: CpuState, template: Template, i: number, isInterrupted: boolean): void {
  const common = template.section('cpu_common', i);
  common.set('halted', run === 'runs' ? 0n : 1n);
  // A device does not raise a pending interrupt again, so QEMU is told to raise it; without a cause the guest sees a
  // spurious interrupt.
  common.set('interrupt_request', isInterrupted ? HARDWARE : 0n);
  template.section('cpu', i).set('env.mp_state', RunState[run]);
}
