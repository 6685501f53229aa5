import type { UnitHeader } from '../../../formats/ssm/container.ts';
import { LIVE_CONTROL_UNIT } from '../../../formats/units/machine/live-control.ts';

/** Passes of the live part, and the progress of the saver. A plain state has neither. */
export function isOfLiveSave({ name, pass }: Pick<UnitHeader, 'name' | 'pass'>): boolean {
  return pass !== 'final' || name === LIVE_CONTROL_UNIT.name;
}
