import { sizeText } from '../terminal/size-text.ts';
import { type Html, html, NOTHING } from './html.ts';

// Pictures as SVG in the page itself. Colours are variables of the page's style, so that they follow light and dark.

const WIDTH = 1000;

/** A stretch of a map, `[start, end)`. */
export interface ChartStretch {
  start: number;
  end: number;
  /** Name of a variable of the style. */
  colour: string;
  /** Text that a pointer shows. */
  title: string;
}

/** The largest of any number of values; Math.max fails with too many arguments. */
function mostOf(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), 1);
}

/** A point on a map. */
export interface Mark {
  at: number;
  title: string;
}

/** Minimum width of a stretch; a narrower one would be invisible. */
const LEAST_WIDTH = 2;
const BAR = 44;

/** Stretches on one line, to scale, with marks above. */
export function mapOf(
  name: string,
  end: number,
  stretches: readonly ChartStretch[],
  labelAt: (at: number) => string,
  marks: readonly Mark[] = [],
): Html {
  const x = (at: number) => (at / Math.max(1, end)) * WIDTH;
  const markX = (at: number) => Math.min(WIDTH - 7, Math.max(7, x(at)));
  const top = marks.length > 0 ? 16 : 0;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => ({ x: part * WIDTH, text: labelAt(part * end), part }));
  return html`<svg viewBox="0 0 ${WIDTH} ${top + BAR + 22}" role="img" aria-label="${name}"><title>${name}</title><rect y="${top}" width="${WIDTH}" height="${BAR}" rx="6" fill="var(--hole)"/>${stretches.map(
    ({ start, end: last, colour, title }) =>
      html`<rect x="${x(start).toFixed(2)}" y="${top}" width="${Math.max(LEAST_WIDTH, x(last) - x(start)).toFixed(2)}" height="${BAR}" fill="var(--${colour})"><title>${title}</title></rect>`,
  )}${marks.map(
    ({ at, title }) =>
      html`<path d="M${markX(at).toFixed(1)} ${top + BAR}V${top - 2}l-6 -12h12l-6 12" fill="var(--bad)" stroke="var(--bad)" stroke-width="1.5"><title>${title}</title></path>`,
  )}${ticks.map(
    ({ x: at, text, part }) =>
      html`<text class="soft" x="${at}" y="${top + BAR + 16}" text-anchor="${part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}">${text}</text>`,
  )}</svg>`;
}

export function legendOf(entries: readonly (readonly [colour: string, text: string])[]): Html {
  return html`<ul class="legend">${entries.map(([colour, text]) => html`<li><i style="background:var(--${colour})"></i>${text}</li>`)}</ul>`;
}

export interface Bar {
  name: string;
  value: number;
  text: string;
  colour: string;
}

const ROW = 26;
const NAMES = 220;
const TEXTS = 170;

/** Bars below each other, with name and figure. */
export function barsOf(name: string, bars: readonly Bar[]): Html {
  const most = mostOf(bars.map(({ value }) => value));
  const widthOf = (value: number) => (value / most) * (WIDTH - NAMES - TEXTS);
  return html`<svg viewBox="0 0 ${WIDTH} ${bars.length * ROW}" role="img" aria-label="${name}"><title>${name}</title>${bars.map(
    ({ name: bar, value, text, colour }, i) =>
      html`<text x="${NAMES - 12}" y="${i * ROW + 17}" text-anchor="end">${bar}</text><rect x="${NAMES}" y="${i * ROW + 4}" width="${value > 0 ? Math.max(1.5, widthOf(value)).toFixed(1) : 0}" height="${ROW - 9}" rx="3" fill="var(--${colour})"/><text class="soft" x="${(NAMES + widthOf(value) + 8).toFixed(1)}" y="${i * ROW + 17}">${text}</text>`,
  )}</svg>`;
}

/**
 * The commonest value other than 0; 0 only if all values are 0.
 * @param kinds upper bound of the values, exclusive
 */
export function majorityOf(values: Uint8Array, kinds: number): number {
  const counts = new Array<number>(kinds).fill(0);
  for (const value of values) counts[value]++;
  const most = Math.max(...counts.slice(1));
  return most === 0 ? 0 : counts.indexOf(most, 1);
}

const CELL = 14;
/** Cells in a row. */
const GRID_COLUMNS = 64;
/** Maximum number of cells of a grid. */
export const MOST_CELLS = 24 * GRID_COLUMNS;

/** A grid of cells, row by row. Neighbours of one colour become one shape, which keeps pages small. */
export function gridOf(name: string, colours: readonly string[], titleOf: (cell: number) => string): Html {
  const rows = Math.ceil(colours.length / GRID_COLUMNS);
  const shapes: Html[] = [];
  for (let i = 0; i < colours.length; ) {
    const row = Math.floor(i / GRID_COLUMNS);
    let end = i + 1;
    while (end < colours.length && end < (row + 1) * GRID_COLUMNS && colours[end] === colours[i]) end++;
    const [x, y] = [(i % GRID_COLUMNS) * CELL, row * CELL];
    shapes.push(
      html`<rect x="${x}" y="${y}" width="${(end - i) * CELL - 1}" height="${CELL - 1}" rx="1.5" fill="var(--${colours[i]})"><title>${titleOf(i)}</title></rect>`,
    );
    i = end;
  }
  return html`<svg viewBox="0 0 ${GRID_COLUMNS * CELL} ${rows * CELL}" role="img" aria-label="${name}"><title>${name}</title>${shapes}</svg>`;
}

export interface Series {
  name: string;
  colour: string;
  values: readonly number[];
}

const PLOT = 180;

/** Columns side by side for each step, such as bytes sent and bytes dirtied in each round. */
export function columnsOf(name: string, labels: readonly string[], series: readonly Series[]): Html {
  const most = mostOf(series.flatMap(({ values }) => values));
  const step = (WIDTH - 90) / Math.max(1, labels.length);
  const wide = Math.min(46, (step * 0.7) / series.length);
  return html`<svg viewBox="0 0 ${WIDTH} ${PLOT + 34}" role="img" aria-label="${name}"><title>${name}</title>${[
    0, 0.5, 1,
  ].map(
    (part) =>
      html`<path d="M80 ${(PLOT - part * (PLOT - 12) + 4).toFixed(1)}H${WIDTH}" stroke="var(--line)"/><text class="soft" x="72" y="${(PLOT - part * (PLOT - 12) + 8).toFixed(1)}" text-anchor="end">${sizeText(most * part)}</text>`,
  )}${labels.map((label, i) => {
    const middle = 90 + step * (i + 0.5);
    const left = middle - (wide * series.length) / 2;
    return html`${series.map(({ name: what, colour, values }, k) => {
      const height = ((values[i] ?? 0) / most) * (PLOT - 12);
      return html`<rect x="${(left + k * wide).toFixed(1)}" y="${(PLOT + 4 - height).toFixed(1)}" width="${(wide - 2).toFixed(1)}" height="${height.toFixed(1)}" fill="var(--${colour})"><title>${label}, ${what}: ${sizeText(values[i] ?? 0)}</title></rect>`;
    })}${labels.length <= 24 || i % Math.ceil(labels.length / 24) === 0 ? html`<text class="soft" x="${middle.toFixed(1)}" y="${PLOT + 24}" text-anchor="middle">${label}</text>` : NOTHING}`;
  })}</svg>`;
}
