import type { Apic } from '../../formats/units/cpu/apic.ts';
import type { Gim } from '../../formats/units/cpu/gim.ts';
import type { Trpm } from '../../formats/units/cpu/trpm.ts';
import { ANOTHER_MOMENT, type Refusal, type Rule, refusal } from './refusal.ts';
import { type CpuState, cpuStates } from './units/cpu-state.ts';

/** Reasons in the processors and their interrupts. */
export const PROCESSOR_RULES: readonly Rule[] = [
  function pendingTraps(units) {
    const NONE = 0xffffffff;
    return (units.find<Trpm>('trpm/1')?.cpus ?? []).flatMap(({ vector }, cpu) =>
      vector === NONE ? [] : [refusal('pending-trap', `an interrupt is being delivered to CPU ${cpu}`, ANOTHER_MOMENT)],
    );
  },

  function processors(units) {
    const { nestedVirtualisation } = units.collected.state.cpum ?? {};
    return cpuStates(units).flatMap((cpu, i) => processorRefusals(cpu, i, nestedVirtualisation === true));
  },

  function localApics(units) {
    const X2APIC = 0x400n;
    return (units.find<Apic>('apic/0')?.cpu ?? []).some(({ base }) => (base & X2APIC) !== 0n)
      ? [refusal('x2apic', 'the guest uses its local APICs in x2APIC mode', 'boot the guest with nox2apic')]
      : [];
  },

  function paravirtualisation(units, { accelerator }) {
    const { provider } = units.find<Gim>('GIM/0') ?? { provider: 0 };
    const [HYPER_V, KVM] = [2, 3];
    const cpus = units.collected.state.cpum?.cpus.length ?? 1;
    if (provider === HYPER_V)
      return [
        refusal(
          'hyper-v',
          'the guest uses the Hyper-V interface, whose state is not known',
          'VBoxManage modifyvm --paravirt-provider none, and boot anew',
        ),
      ];
    if (provider === KVM && cpus > 1 && accelerator === 'tcg')
      return [
        refusal(
          'kvm-calls',
          'the guest has several CPUs and calls KVM, which QEMU can’t answer without it',
          '--accel kvm',
        ),
      ];
    return [];
  },
];

function processorRefusals({ context }: CpuState, i: number, isNested: boolean): Refusal[] {
  const found: Refusal[] = [];
  const KNOWN_STATE = 7n;
  const VMXE = 1n << 13n;
  const SVME = 1n << 12n;
  if ((context.xcr0 & ~KNOWN_STATE) !== 0n)
    found.push(
      refusal(
        'extended-state',
        `CPU ${i} has extended state beyond AVX in use`,
        'boot the guest without it (Linux: clearcpuid=avx512f)',
      ),
    );
  if (isNested && ((context.cr4 & VMXE) !== 0n || (context.efer & SVME) !== 0n))
    found.push(refusal('nested', `CPU ${i} runs virtual machines itself`, 'end them in the guest'));
  return found;
}
