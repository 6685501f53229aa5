import { UnsupportedError } from '../../../formats/errors.ts';
import type { CpumUnit } from '../../../formats/units/cpu/cpum-codec.ts';
import { describeMachine } from '../../saved-state/describe/describe-machine.ts';
import { missingFeatures } from '../processor-features.ts';
import type { MachineUnits } from '../units/machine-units.ts';

/** Features in leaf 7 of CPUID, by register and bit. */
const LEAF_7 = {
  ebx: { fsgsbase: 0, smep: 7, smap: 20 },
  ecx: { umip: 2, pku: 3, la57: 16 },
} as const;
/** States of x87 and SSE, which every processor keeps. */
const ALWAYS = 3n;

/**
 * Makes sure that the processor of the template has the features that the guest has switched on in QEMU. @param units
 * hold QEMU's values already @throws UnsupportedError `not-wakeable`
 */
export function expectSameProcessor(units: MachineUnits): void {
  const cpus = units.need<CpumUnit>('cpum/1').cpus;
  const known = featuresOf(units);
  if (!known) return;
  const missing = missingFeatures(cpus, known);
  if (missing.length === 0 && cpus.some(({ context: { xcr0, xStateMask } }) => (xcr0 & ~(xStateMask | ALWAYS)) !== 0n))
    missing.push('extended state that VirtualBox does not keep');
  if (missing.length > 0)
    throw new UnsupportedError(
      'not-wakeable',
      `Cannot bring back: the guest uses ${missing.join(', ')}, which the processor of the template lacks; ` +
        'boot it in QEMU with a processor that lacks it, too (such as -cpu qemu64)',
    );
}

/** Features of the template's processor, by QEMU's names; undefined if the state does not tell. */
function featuresOf({ collected: { state } }: MachineUnits): Record<string, boolean> | undefined {
  const { cpu } = describeMachine(state);
  if (!cpu) return undefined;
  const known = Object.fromEntries(cpu.features.map((name) => [name, true]));
  const leaf = state.cpum?.cpuid?.guest.find((own) => own.leaf === 7 && own.subLeaf === 0);
  for (const register of ['ebx', 'ecx'] as const)
    for (const [name, bit] of Object.entries(LEAF_7[register]))
      known[name] = (((leaf?.[register] ?? 0) >>> bit) & 1) !== 0;
  return known;
}
