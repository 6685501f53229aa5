import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { check } from '../check/check.ts';
import { realState } from '../check/testing/real-machines.ts';
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
    'VBoxInternal/CPUM/StrictCpuIdChecks',
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
    'GUI/Fullscreen',
  ])('%s: is known to have no effect', async (name) => {
    expect(await notJudged(name)).toEqual([]);
  });

  it('a value that VirtualBox does not take is no known one', async () => {
    expect(await notJudged('VBoxInternal/HM/FallbackToIEM', 'yes')).toEqual([expect.stringContaining('FallbackToIEM')]);
  });
});
