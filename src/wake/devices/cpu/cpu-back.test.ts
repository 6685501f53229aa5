import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bufferSource } from '../../../../formats/files/source.ts';
import type { CpumUnit } from '../../../../formats/units/cpu/cpum-codec.ts';
import type { GuestContext } from '../../../../formats/units/cpu/cpum-layouts.ts';
import { collectUnits } from '../../../saved-state/reading/collect-units.ts';
import { STATES_FOLDER } from '../../../testing/states.ts';
import { MACHINES, template } from '../../testing/woken.ts';
import { MachineUnits } from '../../units/machine-units.ts';
import { takeCpuBack } from './cpu-back.ts';

it.each(MACHINES)(
  'a task that %s shows as free is busy in VirtualBox, which ends a guest otherwise',
  async (machine) => {
    const state = bufferSource(readFileSync(join(STATES_FOLDER, 'own-long.sav')));
    const [cpu] = new MachineUnits(await collectUnits(state, {})).need<CpumUnit>('cpum/1').cpus;
    const section = (await template(machine)).section('cpu');
    const TASK = { free: 0x8900n, busy: 0x8b };
    section.set('env.tr.selector', 0x40n);
    section.set('env.tr.flags', TASK.free);
    takeCpuBack(section, cpu);
    expect((cpu.context as GuestContext).tr).toMatchObject({ selector: 0x40, attributes: TASK.busy });
  },
);
