import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bufferSource } from '../../../formats/files/source.ts';
import type { CpumUnit } from '../../../formats/units/cpu/cpum-codec.ts';
import type { GuestContext } from '../../../formats/units/cpu/cpum-layouts.ts';
import { collectUnits } from '../../saved-state/reading/collect-units.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { MachineUnits } from '../units/machine-units.ts';
import { expectSameProcessor } from './same-processor.ts';

it.each([
  ['own-long', {}, undefined],
  ['own-long', { cr4: 1n << 12n }, /the guest uses la57, which the processor of the template lacks/],
  ['own-long', { cr4: (1n << 12n) | (1n << 22n) }, /uses la57, pku, which/],
  ['own-long', { xcr0: 0xe7n }, /uses extended state that VirtualBox does not keep/],
] as const)('%s with %o in QEMU', async (name, registers, refusal) => {
  const state = bufferSource(readFileSync(join(STATES_FOLDER, `${name}.sav`)));
  const units = new MachineUnits(await collectUnits(state, {}));
  const context = units.need<CpumUnit>('cpum/1').cpus[0].context as GuestContext;
  Object.assign(context, registers);
  const check = expect(() => expectSameProcessor(units));
  if (refusal) check.toThrow(refusal);
  else check.not.toThrow();
});
