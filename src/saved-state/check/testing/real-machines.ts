import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import type { UnitSpec } from '../../../../formats/testing/container-builder.ts';
import { joinUnits, splitUnits } from '../../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../../testing/states.ts';
import type { MachineFacts } from '../../machine-facts/machine-facts.ts';
import { readSettings } from '../../machine-facts/settings.ts';

// Machines of 7.2.22 with their settings and, where a state was saved from them, its units; and what 7.2.22 answered
// when such a state was given to another machine. Their memory is that of the bundled state, which has the same size.

type Unit = [name: string, instance: number, version: number, deflated?: string];
type Answer = [from: string, into: string, code: string, unit?: string];

const vectors: { machines: Record<string, { settings: string; units: Unit[] }>; answers: Answer[] } = JSON.parse(
  readFileSync(join(STATES_FOLDER, '../machines/machines.json'), 'utf8'),
);
const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const bundled = new Map(splitUnits(plain).map((unit) => [`${unit.name}/${unit.instance}`, unit]));

const IDLE_USB_DISK = Uint8Array.of(1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff);

/** Answer of 7.2.22 to a state of one machine in another: `loads`, or a code and the unit that it named. */
export const REAL_ANSWERS: readonly Answer[] = vectors.answers;

/** Machines of which there is a state. */
export const REAL_STATES: readonly string[] = Object.keys(vectors.machines).filter(
  (name) => vectors.machines[name].units.length > 0,
);

/** Units with the same bytes for each CPU, which the bundled machine has one of. */
const BY_CPU = ['em', 'trpm'];
/** Type and size of a record. */
const RECORD_HEAD = 2;

export function realState(name: string): Buffer {
  const cpus = Number(/<CPU count="(\d+)"/.exec(vectors.machines[name].settings)?.[1] ?? 1);
  const units = vectors.machines[name].units.map(([unit, instance, version, deflated]): UnitSpec => {
    const records = deflated === undefined ? bundled.get(`${unit}/${instance}`)?.records : undefined;
    if (records && BY_CPU.includes(unit))
      return { name: unit, instance, version, payload: Buffer.concat(Array(cpus).fill(records.subarray(RECORD_HEAD))) };
    const header = { name: unit, instance, version };
    if (deflated !== undefined) return { ...header, payload: inflateRawSync(Buffer.from(deflated, 'base64')) };
    // The vectors keep no bytes of a USB disk that does nothing, since all such disks have these.
    if (unit === 'Msd') return { ...header, payload: IDLE_USB_DISK };
    return { ...header, records };
  });
  return joinUnits(units, plain);
}

export function realSettings(name: string): MachineFacts {
  return readSettings(vectors.machines[name].settings, name);
}
