import type { DeviceConfig } from '../../../formats/units/codec/device-config.ts';
import { AHCI_PORT_COUNT } from '../../../formats/units/storage/ahci.ts';
import { VIRTIO_ATTACHED } from '../../../formats/units/storage/virtio-scsi.ts';
import { isCompared } from '../../../formats/units/table.ts';
import type { Comparison } from './comparison.ts';

/** Compares the configurations of devices that state and machine both have: ports, disks on them, models, addresses. */
export function compareConfigs(comparison: Comparison): void {
  const { state, saved, target } = comparison;
  for (const unit of state.units) {
    if (unit.pass !== 'final') continue;
    const key = `${unit.name}/${unit.instance}`;
    // Values that no setting changes are compared if both sides have them; otherwise nothing is reported.
    if (!isCompared(unit.name) && !(saved.configs?.get(key) && target.configs?.get(key))) continue;
    if (!target.configs?.has(key) && !comparison.hasDevice(unit.name, unit.instance)) continue;
    const was = saved.configs?.get(key);
    const is = target.configs?.get(key);
    if (was && is) compareValues(comparison, unit.name, unit.instance, was, is);
    else
      comparison.notJudged.push(
        `${key}, its configuration: ` +
          `${was ? `not known of ${target.name}` : `version ${unit.version} of the unit is not known`}`,
      );
  }
}

/** Maximum number of differences in a message; a controller may have a hundred ports. */
const MOST_TOLD = 4;

function compareValues(
  comparison: Comparison,
  unit: string,
  instance: number,
  was: DeviceConfig,
  is: DeviceConfig,
): void {
  const { name } = comparison.target;
  const different = Object.entries(was).filter(
    ([what, value]) => is[what] !== undefined && is[what] !== value && !isTaken(what, value, is[what]),
  );
  if (different.length === 0) return;
  // The loader stops at the first difference, with its code.
  const vboxCode =
    different[0][0] === VIRTIO_ATTACHED ? 'VERR_SSM_DATA_UNIT_FORMAT_CHANGED' : 'VERR_SSM_LOAD_CONFIG_MISMATCH';
  const told = different
    .slice(0, MOST_TOLD)
    .map(([what, value]) => `${what} is ${value} in the state, ${is[what]} in ${name}`);
  comparison.add(unit, 'device-config', vboxCode, told.join('; '), instance);
}

/** Whether the loader accepts a difference. */
function isTaken(what: string, was: unknown, is: unknown): boolean {
  return what === AHCI_PORT_COUNT && typeof was === 'number' && typeof is === 'number' && was > is;
}
