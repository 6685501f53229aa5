import { countText } from '../../formats/amounts.ts';
import { sizeText } from '../terminal/size-text.ts';
import { barsOf } from './charts.ts';
import type { FileFigures } from './events.ts';
import { factsOf, type Html, html, NOTHING, tableOf } from './html.ts';

/** Maximum number of rows of the list; more would make browsers slow. */
const MOST_ROWS = 2000;
const MOST_RELEASES = 12;
/** Commands have a dozen outcomes; further names come from files that anybody may have written. */
const MOST_NAMES = 64;
const LONGEST_NAME = 80;
const OTHERS = 'others';
const COLOURS: Readonly<Record<number, string>> = { 0: 'good', 1: 'bad', 4: 'warn' };

interface Group {
  count: number;
  colour: string;
}

/** Results of many files: sums of all, and a list that begins with the files that are not good. */
export class FleetSection {
  readonly #outcomes = new Map<string, Group>();
  readonly #releases = new Map<string, number>();
  readonly #bad: FileFigures[] = [];
  readonly #good: FileFigures[] = [];
  #files = 0;
  #bytes = 0;

  get files(): number {
    return this.#files;
  }

  add(figures: FileFigures): void {
    const { outcome, exitCode, size = 0, release } = figures;
    this.#files++;
    this.#bytes += size;
    const name = nameIn(this.#outcomes, outcome);
    const group = this.#outcomes.get(name) ?? { count: 0, colour: COLOURS[exitCode] ?? 'soft' };
    group.count++;
    this.#outcomes.set(name, group);
    if (release !== undefined) {
      const writer = nameIn(this.#releases, release);
      this.#releases.set(writer, (this.#releases.get(writer) ?? 0) + 1);
    }
    const list = exitCode === 0 ? this.#good : this.#bad;
    if (list.length < MOST_ROWS) list.push(figures);
  }

  get html(): Html {
    if (this.#files === 0) return NOTHING;
    const outcomes = [...this.#outcomes].sort(([, a], [, b]) => b.count - a.count);
    const rows = [...this.#bad, ...this.#good].slice(0, MOST_ROWS);
    return html`<section><h2>${countText(this.#files, 'file')}</h2>${factsOf([
      ...outcomes.slice(0, 6).map(([outcome, { count }]) => [outcome, count.toLocaleString('en')] as const),
      ['Bytes in all', sizeText(this.#bytes)],
    ])}<h3>What came of them</h3>${barsOf(
      'Files by outcome',
      outcomes.map(([outcome, { count, colour }]) => ({
        name: outcome,
        value: count,
        text: `${count.toLocaleString('en')}, ${((count / this.#files) * 100).toFixed(1)} %`,
        colour,
      })),
    )}${this.#releasesPart()}<h3>Files${rows.length < this.#files ? `, the first ${rows.length} of ${this.#files}` : ''}</h3>${tableOf(
      'Files with their results',
      [
        { title: 'file' },
        { title: 'result', isShort: true },
        { title: 'bytes', isNumber: true },
        { title: 'release', isShort: true },
        { title: 'first finding' },
      ],
      rows.map(({ file, outcome, size, release, message }) => [
        file,
        outcome,
        size?.toLocaleString('en') ?? '',
        release ?? '',
        message ?? '',
      ]),
    )}</section>`;
  }

  #releasesPart(): Html {
    if (this.#releases.size === 0) return NOTHING;
    const releases = [...this.#releases].sort(([, a], [, b]) => b - a);
    return html`<h3>Written by</h3>${barsOf(
      'Files by release',
      releases
        .slice(0, MOST_RELEASES)
        .map(([release, count]) => ({ name: release, value: count, text: count.toLocaleString('en'), colour: 'ram' })),
    )}${releases.length > MOST_RELEASES ? html`<p class="note">… and ${releases.length - MOST_RELEASES} other releases.</p>` : NOTHING}`;
  }
}

/** Name under which a file is counted; names are limited in number and length to what a page can show. */
function nameIn(counted: ReadonlyMap<string, unknown>, name: string): string {
  const short = name.slice(0, LONGEST_NAME);
  return counted.has(short) || counted.size < MOST_NAMES ? short : OTHERS;
}
