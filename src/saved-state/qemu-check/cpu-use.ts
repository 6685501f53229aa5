import type { QemuCpu } from '../../../formats/qemu/cpu.ts';
import type { Finding } from '../reading/findings.ts';
import type { CpuModel } from './qemu-facts.ts';

/**
 * Bits of registers that exist only with a CPU feature; features by QEMU's names. Source: Intel SDM vol. 3, 2.2 and
 * 2.5.
 */
const USES: readonly { register: 'cr4' | 'efer'; bit: bigint; name: string; feature: string }[] = [
  { register: 'cr4', bit: 5n, name: 'CR4.PAE', feature: 'pae' },
  { register: 'cr4', bit: 7n, name: 'CR4.PGE', feature: 'pge' },
  { register: 'cr4', bit: 9n, name: 'CR4.OSFXSR', feature: 'fxsr' },
  { register: 'cr4', bit: 11n, name: 'CR4.UMIP', feature: 'umip' },
  { register: 'cr4', bit: 12n, name: 'CR4.LA57', feature: 'la57' },
  { register: 'cr4', bit: 13n, name: 'CR4.VMXE', feature: 'vmx' },
  { register: 'cr4', bit: 16n, name: 'CR4.FSGSBASE', feature: 'fsgsbase' },
  { register: 'cr4', bit: 17n, name: 'CR4.PCIDE', feature: 'pcid' },
  { register: 'cr4', bit: 18n, name: 'CR4.OSXSAVE', feature: 'xsave' },
  { register: 'cr4', bit: 20n, name: 'CR4.SMEP', feature: 'smep' },
  { register: 'cr4', bit: 21n, name: 'CR4.SMAP', feature: 'smap' },
  { register: 'cr4', bit: 22n, name: 'CR4.PKE', feature: 'pku' },
  { register: 'efer', bit: 0n, name: 'EFER.SCE', feature: 'syscall' },
  { register: 'efer', bit: 8n, name: 'EFER.LME', feature: 'lm' },
  { register: 'efer', bit: 11n, name: 'EFER.NXE', feature: 'nx' },
  { register: 'efer', bit: 12n, name: 'EFER.SVME', feature: 'svm' },
];

type Use = (typeof USES)[number];

/** Features that guests use and a CPU model lacks. QEMU loads such a state without an error. */
export function unusable(cpus: readonly QemuCpu[], { name: model, features }: CpuModel): Finding[] {
  return cpus.flatMap(({ index, registers }) =>
    usesOf(registers)
      .filter(({ feature }) => features.get(feature) === false)
      .map(({ name, feature }) => ({
        severity: 'warning' as const,
        code: 'cpu-feature',
        message:
          `CPU ${index} uses ${name}, and the model ${model} has no ${feature}: QEMU loads the state without a ` +
          'word, and the guest fails',
        place: { unit: 'cpu', instance: index },
      })),
  );
}

/** Features that guests use and a model may or may not have, as lines for people. */
export function untold(cpus: readonly QemuCpu[], { name: model, features }: CpuModel): string[] {
  return cpus.flatMap(({ index, registers }) =>
    usesOf(registers)
      .filter(({ feature }) => !features.has(feature))
      .map(
        ({ name, feature }) => `${name} of CPU ${index}: the model ${model} does not tell whether it has ${feature}`,
      ),
  );
}

/** Features that the guest of a CPU has switched on. */
function usesOf(registers: QemuCpu['registers']): Use[] {
  return USES.filter(({ register, bit }) => (((registers[register] ?? 0n) >> bit) & 1n) === 1n);
}
