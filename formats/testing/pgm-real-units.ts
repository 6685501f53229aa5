import { readdirSync, readFileSync } from 'node:fs';
import type { Pass } from '../errors.ts';
import { bufferSource } from '../files/source.ts';
import { openContainer } from '../ssm/open.ts';
import { PayloadReader } from '../ssm/payload.ts';

export interface RealUnit {
  state: string;
  version: number;
  pass: Pass;
  payload: Uint8Array;
}

const folder = new URL('../../test-vectors/states/', import.meta.url);

/** The payloads of all units of one name in the states that VirtualBox wrote. */
export async function realUnits(name: string): Promise<RealUnit[]> {
  const units: RealUnit[] = [];
  for (const state of readdirSync(folder).filter((file) => file.endsWith('.sav'))) {
    const container = await openContainer(bufferSource(readFileSync(new URL(state, folder))));
    for (let unit = await container.nextUnit(); unit; unit = await container.nextUnit()) {
      if (unit.name !== name) continue;
      units.push({
        state,
        version: unit.version,
        pass: unit.pass,
        payload: await new PayloadReader(container).rest(2 ** 20),
      });
    }
  }
  return units;
}

/** The description beside a state. */
export function truthOf(state: string) {
  return JSON.parse(readFileSync(new URL(state.replace('.sav', '.json'), folder), 'utf8'));
}
