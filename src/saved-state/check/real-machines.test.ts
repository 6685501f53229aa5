import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { inspect } from '../describe/inspect.ts';
import { machineOf } from '../machine-facts/machine-facts.ts';
import { check } from './check.ts';
import { REAL_ANSWERS, REAL_STATES, realSettings, realState } from './testing/real-machines.ts';

describe('check() of machines of 7.2.22', () => {
  it.each(REAL_ANSWERS)('foretells what came of a state of %s in %s: %s', async (from, into, code, unit) => {
    const { forecast, notJudged } = await check(bufferSource(realState(from)), { machine: realSettings(into) });
    expect([forecast?.vboxCode ?? 'loads', forecast?.unit]).toEqual([code, unit]);
    expect(notJudged).toEqual([]);
  });

  it.each(REAL_STATES)('reads the same machine from the settings and the state of %s', async (name) => {
    const { state } = await inspect(bufferSource(realState(name)));
    const [own, told] = [machineOf(state, name), realSettings(name)];
    const key = (device: { name: string; instance: number }) => `${device.name}/${device.instance}`;
    // lpc and tpm-ppi come with others, and the order is not compared.
    const devices = (list: typeof own.devices) =>
      list
        ?.map(key)
        .filter((device) => !/^(lpc|tpm-ppi)/.test(device))
        .sort();
    expect(devices(told.devices)).toEqual(devices(own.devices));
    for (const [device, config] of own.configs ?? []) expect(told.configs?.get(device), device).toEqual(config);
    expect((await check(bufferSource(realState(name)), { machine: own })).forecast).toBeUndefined();
  });
});
