import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bufferSource } from '../../../formats/files/source.ts';
import type { CpuidPart } from '../../../formats/units/cpu/cpuid-leaves.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { walkState } from '../reading/walk.ts';
import { constructedStates } from './testing/constructed-states.ts';
import { judgePair } from './testing/judge-pair.ts';
import type { Change } from './testing/machine-changes.ts';
import { MachinePark } from './testing/machine-park.ts';

// npm run campaign -- virtualbox-constructed [WORD]: states with one thing changed are given to the real VirtualBox;
// check must have foretold code and unit. States in test-vectors/machines/forecasts.tsv must get the answer there
// again. Needs mkown.sh; ten minutes. With a WORD only states whose name has it.

const virtualBox = await VirtualBox.find();
const score = new Score();
const park = new MachinePark(virtualBox, { prefix: 'savkit-made-' });
const [word = ''] = process.argv.slice(2);
const table = new Map(
  readFileSync(join(STATES_FOLDER, '../machines/forecasts.tsv'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => row.split('\t'))
    .map(([from, , code]) => [from, code]),
);

/** In which machines each state is tried, by how its name begins. */
const MACHINES: Readonly<Record<string, Change[]>> = {
  base: [],
  lenient: [['setextradata', '@', 'VBoxInternal/CPUM/StrictCpuIdChecks', '0']],
};

try {
  const base = await park.state('base', []);
  const { cpum } = await walkState(bufferSource(base));
  for (const [name, make] of constructedStates(base))
    for (const [into, changes] of Object.entries(MACHINES)) {
      const what = into === 'base' ? name : `${name}, ${into}`;
      if (!what.includes(word) || (into !== 'base' && !name.startsWith('cpum'))) continue;
      const settings = await park.settings(into, changes);
      await score.part(what, () => compare(what, make, into, settings, cpum?.cpuid));
    }
} finally {
  await park.close();
}
score.close();

async function compare(what: string, make: () => Buffer, into: string, settings: string, host?: CpuidPart) {
  try {
    const state = make();
    const path = park.place('state.sav');
    writeFileSync(path, state);
    const answer = await park.answer(path, into);
    const expected = table.get(what);
    if (expected !== undefined && expected !== answer.code)
      score.check(what, false, `the table has ${expected}; VirtualBox: ${answer.output}`);
    await judgePair(score, what, state, settings, answer, host);
  } catch (error) {
    score.check(what, false, (error as Error).message);
  }
}
