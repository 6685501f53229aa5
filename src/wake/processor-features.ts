import type { GuestContext } from '../../formats/units/cpu/cpum-layouts.ts';

/** Registers in which a guest enables features. */
type ControlRegisters = Pick<GuestContext, 'cr4' | 'efer' | 'xcr0'>;

/** Features without which a guest can't go on once it has enabled them, by QEMU's names. */
const IN_USE: readonly { feature: string; isUsed(registers: ControlRegisters): boolean }[] = [
  { feature: 'nx', isUsed: ({ efer }) => bit(efer, 11) },
  { feature: 'lm', isUsed: ({ efer }) => bit(efer, 10) },
  { feature: 'umip', isUsed: ({ cr4 }) => bit(cr4, 11) },
  { feature: 'la57', isUsed: ({ cr4 }) => bit(cr4, 12) },
  { feature: 'fsgsbase', isUsed: ({ cr4 }) => bit(cr4, 16) },
  { feature: 'pcid', isUsed: ({ cr4 }) => bit(cr4, 17) },
  { feature: 'xsave', isUsed: ({ cr4 }) => bit(cr4, 18) },
  { feature: 'smep', isUsed: ({ cr4 }) => bit(cr4, 20) },
  { feature: 'smap', isUsed: ({ cr4 }) => bit(cr4, 21) },
  { feature: 'pku', isUsed: ({ cr4 }) => bit(cr4, 22) },
  { feature: 'avx', isUsed: ({ cr4, xcr0 }) => bit(cr4, 18) && bit(xcr0, 2) },
];

function bit(value: bigint, number: number): boolean {
  return ((value >> BigInt(number)) & 1n) !== 0n;
}

/**
 * Features that the guest has enabled and a QEMU's processor lacks.
 * @param properties of the processor, by QEMU's names, from QEMU's expansion of the model
 */
export function missingFeatures(
  cpus: readonly { context: ControlRegisters }[],
  properties: Readonly<Record<string, unknown>>,
): string[] {
  return IN_USE.filter(
    ({ feature, isUsed }) => properties[feature] !== true && cpus.some(({ context }) => isUsed(context)),
  ).map(({ feature }) => feature);
}
