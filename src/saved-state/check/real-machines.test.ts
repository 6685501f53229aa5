import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import type { UnitSpec } from '../../../formats/testing/container-builder.ts';
import { joinUnits, splitUnits } from '../../testing/state-surgery.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { inspect } from '../describe/inspect.ts';
import { check } from './check.ts';
import { readSettings } from './settings.ts';
import { machineOf } from './target-machine.ts';

// Machines of 7.2.22 with their settings and, where a state was saved from them, its units; and what 7.2.22 answered
// when such a state was given to another machine. Their memory is that of the bundled state, which has the same size.

type Unit = [name: string, instance: number, version: number, deflated?: string];
type Answer = [from: string, into: string, code: string, unit?: string];

const vectors: { machines: Record<string, { settings: string; units: Unit[] }>; answers: Answer[] } = JSON.parse(
  readFileSync(join(STATES_FOLDER, '../machines/machines.json'), 'utf8'),
);
const plain = readFileSync(join(STATES_FOLDER, 'own-long.sav'));
const bundled = new Map(splitUnits(plain).map((unit) => [`${unit.name}/${unit.instance}`, unit]));

function stateOf(name: string): Buffer {
  const units = vectors.machines[name].units.map(([unit, instance, version, deflated]): UnitSpec => {
    const records = deflated === undefined ? bundled.get(`${unit}/${instance}`)?.records : undefined;
    const header = { name: unit, instance, version };
    if (deflated !== undefined) return { ...header, payload: inflateRawSync(Buffer.from(deflated, 'base64')) };
    return { ...header, ...(records ? { records } : {}) };
  });
  return joinUnits(units, plain);
}

const settingsOf = (name: string) => readSettings(vectors.machines[name].settings, name);

describe('check() of machines of 7.2.22', () => {
  it.each(vectors.answers)('foretells what came of a state of %s in %s: %s', async (from, into, code, unit) => {
    const { forecast, notJudged } = await check(bufferSource(stateOf(from)), { machine: settingsOf(into) });
    expect([forecast?.vboxCode ?? 'loads', forecast?.unit]).toEqual([code, unit]);
    expect(notJudged).toEqual([]);
  });

  const saved = Object.keys(vectors.machines).filter((name) => vectors.machines[name].units.length > 0);

  it.each(saved)('reads the same machine from the settings and the state of %s', async (name) => {
    const { state } = await inspect(bufferSource(stateOf(name)));
    const [own, told] = [machineOf(state, name), settingsOf(name)];
    const key = (device: { name: string; instance: number }) => `${device.name}/${device.instance}`;
    // lpc and tpm-ppi come with others, and the order is not compared.
    const devices = (list: typeof own.devices) =>
      list
        ?.map(key)
        .filter((device) => !/^(lpc|tpm-ppi)/.test(device))
        .sort();
    expect(devices(told.devices)).toEqual(devices(own.devices));
    for (const [device, config] of own.configs ?? []) expect(told.configs?.get(device), device).toEqual(config);
    expect((await check(bufferSource(stateOf(name)), { machine: own })).forecast).toBeUndefined();
  });
});
