import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bufferSource } from '../../../formats/files/source.ts';
import { STATES_FOLDER } from '../../testing/states.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { walkState } from '../reading/walk.ts';
import { constructedStates } from './testing/constructed-states.ts';
import { judgePair } from './testing/judge-pair.ts';
import { MachinePark } from './testing/machine-park.ts';

// npm run campaign -- virtualbox-constructed [WORD]: states with one thing changed are given to the real VirtualBox;
// check must have foretold code and unit. Those that test-vectors/machines/forecasts.tsv names must get that answer
// again. Needs mkown.sh; ten minutes. With a WORD only states whose name has it.

const virtualBox = await VirtualBox.find();
const score = new Score();
const park = new MachinePark(virtualBox);
const [word = ''] = process.argv.slice(2);
const table = new Map(
  readFileSync(join(STATES_FOLDER, '../machines/forecasts.tsv'), 'utf8')
    .trim()
    .split('\n')
    .map((row) => row.split('\t'))
    .map(([from, , code]) => [from, code]),
);

try {
  const base = await park.state('base', []);
  const settings = await park.settings('base', []);
  const { cpum } = await walkState(bufferSource(base));
  for (const [name, make] of constructedStates(base)) {
    if (!name.includes(word)) continue;
    try {
      const state = make();
      const path = park.place('state.sav');
      writeFileSync(path, state);
      const answer = await park.answer(path, 'base');
      const expected = table.get(name);
      if (expected !== undefined && expected !== answer.code)
        score.check(name, false, `the table has ${expected}; VirtualBox: ${answer.output}`);
      await judgePair(score, name, state, settings, answer, cpum?.cpuid);
    } catch (error) {
      score.check(name, false, (error as Error).message);
    }
  }
} finally {
  await park.close();
}
score.close();
