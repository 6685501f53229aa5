import { PAGE_SIZE } from '../../formats/sizes.ts';
import { sizeText } from '../terminal/size-text.ts';
import { barsOf, columnsOf, legendOf } from './charts.ts';
import type { MigrationFigures } from './events.ts';
import { factsOf, type Html, html, NOTHING, tableOf } from './html.ts';

/** Parts of the downtime, in order. */
const DOWNTIME_WORDS: Readonly<Record<string, string>> = {
  stop: 'stopping',
  pages: 'last pages',
  hash: 'hash of memory',
  rest: 'CPUs and devices',
  ready: 'the target gets ready',
  decision: 'the decision on disk',
  start: 'starting there',
};

/** A migration: its rounds, its bytes, and its downtime. */
export function migrationSection(migration: MigrationFigures): Html {
  const { machine, outcome, because, bytes, pages, totalMs, downtimeMs, downtime, rounds, roundCount } = migration;
  const isMoved = outcome === 'handed-over';
  return html`<section><h2>Migration of ${machine}</h2><span class="verdict ${isMoved ? 'good' : 'warn'}">${outcome.replaceAll('-', ' ')}</span><p class="note">${because}</p>${factsOf(
    [
      ['Took', seconds(totalMs)],
      ['Stood still', `${downtimeMs.toFixed(1)} ms`],
      ['Sent', sizeText(bytes)],
      ['Pages', pages.toLocaleString('en')],
      ['Rounds', String(roundCount)],
    ],
  )}${rounds.length > 0 ? roundsPart(migration) : NOTHING}<h3>Parts of the downtime</h3>${barsOf(
    'Downtime by part, in milliseconds',
    Object.entries(DOWNTIME_WORDS).map(([part, name]) => ({
      name,
      value: downtime[part] ?? 0,
      text: `${(downtime[part] ?? 0).toFixed(2)} ms`,
      colour: 'ram',
    })),
  )}</section>`;
}

/** Codecs shown at most; there are half a dozen. */
const MOST_CODECS = 24;

function roundsPart({ rounds, roundCount }: MigrationFigures): Html {
  const codecs = new Map<string, number>();
  for (const round of rounds)
    for (const [codec, count] of Object.entries(round.codecs)) codecs.set(codec, (codecs.get(codec) ?? 0) + count);
  const colours = ['ram', 'mmio2', 'rom', 'mmio', 'text', 'dense'];
  return html`<h3>Rounds: sent against dirtied meanwhile${rounds.length < roundCount ? `, the first ${rounds.length} of ${roundCount}` : ''}</h3>${columnsOf(
    'Bytes sent and dirtied in each round',
    rounds.map(({ round }) => String(round)),
    [
      { name: 'sent', colour: 'ram', values: rounds.map((round) => round.bytes) },
      { name: 'dirtied', colour: 'dense', values: rounds.map(({ dirtied }) => dirtied * PAGE_SIZE) },
    ],
  )}${legendOf([
    ['ram', 'bytes on the wire'],
    ['dense', 'memory that the machine wrote meanwhile'],
  ])}<h3>Pages by encoding</h3>${barsOf(
    'Pages by encoding',
    [...codecs]
      .filter(([, value]) => value > 0)
      .slice(0, MOST_CODECS)
      .map(([name, value], i) => ({
        name,
        value,
        text: value.toLocaleString('en'),
        colour: colours[i % colours.length],
      })),
  )}<h3>Round by round</h3>${tableOf(
    'Rounds',
    [
      { title: 'round', isNumber: true },
      { title: 'pages', isNumber: true },
      { title: 'bytes', isNumber: true },
      { title: 'time', isNumber: true },
      { title: 'pages dirtied', isNumber: true },
      { title: 'then' },
    ],
    rounds.map(({ round, pages, bytes, ms, dirtied, verdict }) => [
      round,
      pages.toLocaleString('en'),
      sizeText(bytes),
      seconds(ms),
      dirtied.toLocaleString('en'),
      verdict.replaceAll('-', ' '),
    ]),
  )}`;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
