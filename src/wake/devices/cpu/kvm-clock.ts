import type { Gim } from '../../../../formats/units/cpu/gim.ts';
import type { Tm } from '../../../../formats/units/cpu/tm.ts';
import type { Template } from '../../template/template.ts';

/** QEMU's section with the time of KVM's clock, in ns; only a QEMU on KVM has it. */
const CLOCK = 'kvmclock';

/**
 * Takes over KVM's clock from unit GIM: the addresses to which the host writes the time. Without KVM nobody writes
 * there.
 */
export function wakeKvmClock({ kvm }: Gim, { virtual }: Tm, template: Template): void {
  if (!kvm) return;
  for (const [i, { systemTimeMsr }] of kvm.cpus.entries()) {
    const cpu = template.find('cpu', i);
    cpu?.set('env.system_time_msr', systemTimeMsr);
    cpu?.set('env.wall_clock_msr', kvm.wallClockMsr);
  }
  template.find(CLOCK)?.set('clock', virtual);
}
