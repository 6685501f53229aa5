import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { STATES_FOLDER } from '../../testing/states.ts';
import { Score, VirtualBox } from '../../testing/virtualbox.ts';
import { judgePair } from './testing/judge-pair.ts';
import { MachinePark } from './testing/machine-park.ts';
import { FAMILIES, PAIR_MACHINES } from './testing/pair-machines.ts';

// npm run campaign -- virtualbox-pairs [table | families] [NAME…]: states of a machine are given to other machines, by
// the real VirtualBox; its code and unit must be what check foretells. `table`: the pairs of
// test-vectors/machines/forecasts.tsv, whose answers must be the same again; `families`: every machine in every other
// of its kind. Needs mkown.sh. Takes an hour; with names of machines or families only pairs that have one of them.
// SAVKIT_JOURNAL=FILE lets it go on where it was stopped.

const virtualBox = await VirtualBox.find();
const score = new Score();
const park = new MachinePark(virtualBox);
const [kind, ...names] = process.argv.slice(2);
const isKind = kind === 'table' || kind === 'families';
const wanted = (isKind || kind === undefined ? names : [kind, ...names]).flatMap((name) => FAMILIES[name] ?? [name]);

const tried = new Set<string>();
try {
  for (const [from, into, code] of [
    ...(kind === 'families' ? [] : tablePairs()),
    ...(kind === 'table' ? [] : familyPairs()),
  ]) {
    const pair = `${from} in ${into}`;
    if (tried.has(pair) || (wanted.length > 0 && !wanted.includes(from) && !wanted.includes(into))) continue;
    tried.add(pair);
    await score.part(pair, () => compare(pair, from, into, code));
  }
} finally {
  await park.close();
}
score.close();

type Pair = [from: string, into: string, code?: string];

/** The pairs of the table, but for states that were constructed, which have a campaign of their own. */
function tablePairs(): Pair[] {
  const [, ...rows] = readFileSync(join(STATES_FOLDER, '../machines/forecasts.tsv'), 'utf8').trim().split('\n');
  return rows.map((row) => row.split('\t') as [string, string, string]).filter(([from]) => from in PAIR_MACHINES);
}

function familyPairs(): Pair[] {
  return Object.values(FAMILIES).flatMap((family) => {
    const machines = ['base', ...family];
    return machines.flatMap((from) =>
      machines.filter((into) => from !== 'base' || into !== 'base').map((into): Pair => [from, into]),
    );
  });
}

async function compare(what: string, from: string, into: string, expected: string | undefined): Promise<void> {
  try {
    const state = await park.state(from, PAIR_MACHINES[from]);
    const settings = await park.settings(into, PAIR_MACHINES[into]);
    const path = park.place('state.sav');
    writeFileSync(path, state);
    const answer = await park.answer(path, into);
    if (expected !== undefined && expected !== answer.code)
      score.check(what, false, `the table has ${expected}; VirtualBox: ${answer.output}`);
    await judgePair(score, what, state, settings, answer);
  } catch (error) {
    score.check(what, false, (error as Error).message);
  }
}
