import { bufferSource } from '../../../../formats/files/source.ts';
import type { CpuidPart } from '../../../../formats/units/cpu/cpuid-leaves.ts';
import type { Score } from '../../../testing/virtualbox.ts';
import { readSettings } from '../../machine-facts/settings.ts';
import { check } from '../check.ts';
import type { Answer } from './machine-park.ts';

/**
 * Compares what check foretells of a state in a machine with what VirtualBox answered: the code, and the unit where
 * VirtualBox names one.
 */
export async function judgePair(
  score: Score,
  what: string,
  state: Buffer,
  settings: string,
  answer: Answer,
  host?: CpuidPart,
): Promise<void> {
  const machine = readSettings(settings, 'target.vbox');
  const { forecast, notJudged } = await check(bufferSource(state), { machine, host });
  const foretold = forecast?.vboxCode ?? 'loads';
  const isSameUnit =
    answer.unit === undefined ||
    (forecast?.unit ?? '').split('/').slice(0, answer.unit.split('/').length).join('/') === answer.unit;
  const why = forecast === undefined ? '' : `: ${forecast.message}`;
  const open = notJudged.length === 0 ? '' : `; not judged: ${notJudged.join('; ')}`;
  const said = answer.output.trim().split('\n')[0];
  const details = `foretold ${foretold} at ${forecast?.unit ?? 'no unit'}${why}${open}; VirtualBox: ${said}`;
  // A unit that check says it cannot judge is no wrong forecast.
  const isOpen = forecast === undefined && notJudged.some((text) => text.includes(answer.unit ?? ' '));
  score.check(
    `${what}: ${answer.code}${answer.unit === undefined ? '' : ` at ${answer.unit}`}${isOpen ? ', not judged' : ''}`,
    (foretold === answer.code && isSameUnit) || isOpen,
    details,
  );
}
