import type { UnitHeader } from '../../../formats/ssm/container.ts';
import { LIVE_CONTROL_UNIT } from '../../../formats/units/machine/live-control.ts';

/** Whether a unit exists in live saves only: passes of the live part, and the unit with the progress. */
export function isOfLiveSave({ name, pass }: Pick<UnitHeader, 'name' | 'pass'>): boolean {
  return pass !== 'final' || name === LIVE_CONTROL_UNIT.name;
}
