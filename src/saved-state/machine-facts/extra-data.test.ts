import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { check } from '../check/check.ts';
import { constructedStates } from '../check/testing/constructed-states.ts';
import { realState } from '../check/testing/real-machines.ts';
import { walkState } from '../reading/walk.ts';
import { readSettings } from './settings.ts';

const { machines } = JSON.parse(readFileSync(join(STATES_FOLDER, '../machines/machines.json'), 'utf8'));

const machine = (name: string, value: string) =>
  readSettings(
    machines.base.settings.replace(
      /<Machine [^>]*>/,
      `$&<ExtraData><ExtraDataItem name="GUI/LastCloseAction" value="Save"/><ExtraDataItem name="${name}" value="${value}"/></ExtraData>`,
    ),
    'base.vbox',
  );
const notJudged = async (name: string, value = '1') =>
  (await check(bufferSource(realState('base')), { machine: machine(name, value) })).notJudged;

describe('internal settings of a machine', () => {
  it.each([
    'VBoxInternal/CPUM/IsaExts/SSE4.1',
    'VBoxInternal/RamHoleSize',
    'VBoxInternal/TM/TSCMode',
    'VBoxInternal/Devices/ahci/0/Config/PortCount',
    'VBoxInternal/Devices/e1000/0/Config/AdapterType',
    'VBoxInternal2/SomethingNew',
  ])('%s: is said not to be judged', async (name) => {
    expect(await notJudged(name)).toEqual([expect.stringContaining(name)]);
  });

  it.each([
    'VBoxInternal/Devices/pcbios/0/Config/DmiSystemVendor',
    'VBoxInternal/TM/TSCTiedToExecution',
    'VBoxInternal/HM/FallbackToIEM',
    'VBoxInternal2/SharedFoldersEnableSymlinksCreate/vagrant',
    'VBoxInternal/CPUM/HostCPUID/00000001/ecx',
    'VBoxInternal/CPUM/StrictCpuIdChecks',
    'GUI/Fullscreen',
  ])('%s: is known to have no effect', async (name) => {
    expect(await notJudged(name)).toEqual([]);
  });

  it('StrictCpuIdChecks 0 has the loader take features that the host lacks, and nothing else', async () => {
    const base = realState('base');
    const host = (await walkState(bufferSource(base))).cpum?.cpuid;
    const states = constructedStates(base);
    const forecast = async (state: string, strict: string) => {
      const { forecast: found, notJudged } = await check(bufferSource(states.get(`cpum: ${state}`)?.() ?? base), {
        machine: machine('VBoxInternal/CPUM/StrictCpuIdChecks', strict),
        host,
      });
      expect(notJudged).toEqual([]);
      return found?.vboxCode ?? 'loads';
    };
    for (const state of ['bit 1/c/2 DTES64', 'bit 1/c/5 VMX', 'bit 1/d/30 IA64']) {
      expect(await forecast(state, '1')).toBe('VERR_SSM_LOAD_CPUID_MISMATCH');
      expect(await forecast(state, '0')).toBe('loads');
    }
    expect(await forecast('XSAVE bit without leaf d', '0')).toBe('VERR_SSM_LOAD_CPUID_MISMATCH');
  });

  it('a value that VirtualBox does not take is no known one', async () => {
    expect(await notJudged('VBoxInternal/HM/FallbackToIEM', 'yes')).toEqual([expect.stringContaining('FallbackToIEM')]);
  });
});
