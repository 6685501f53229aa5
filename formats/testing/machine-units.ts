import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';

type Unit = [name: string, instance: number, version: number, deflated?: string];

const vectors: { machines: Record<string, { units: Unit[] }> } = JSON.parse(
  readFileSync(new URL('../../test-vectors/machines/machines.json', import.meta.url), 'utf8'),
);

/** A unit of a machine of 7.2.22, in the final pass. */
export interface MachineUnit {
  /** The machine that it was saved from. */
  state: string;
  name: string;
  instance: number;
  version: number;
  payload: Uint8Array;
}

/** All units in which machines of test-vectors/machines differ from the bundled state. */
export function machineUnits(): MachineUnit[] {
  return Object.entries(vectors.machines).flatMap(([state, { units }]) =>
    units.flatMap(([name, instance, version, deflated]) =>
      deflated === undefined
        ? []
        : [{ state, name, instance, version, payload: inflateRawSync(Buffer.from(deflated, 'base64')) }],
    ),
  );
}
