import { CPUM_UNIT, CPUM_VERSIONS } from '../../../formats/units/cpu/cpum.ts';
import type { SavedState } from './state.ts';

/** The reason why the registers of a state's CPUs are unknown; undefined if they are known. */
export function registersNote({ cpum, units }: Pick<SavedState, 'cpum' | 'units'>): string | undefined {
  if (cpum) return undefined;
  const unit = units.find(
    ({ name, instance, pass }) => name === CPUM_UNIT.name && instance === CPUM_UNIT.instance && pass === 'final',
  );
  if (!unit) return 'the state has no registers: there is no unit cpum';
  if (!CPUM_VERSIONS.includes(unit.version)) return `registers of cpum ${unit.version} are not decoded`;
  return 'the registers could not be read: unit cpum is damaged';
}
