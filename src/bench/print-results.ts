import Table from 'cli-table3';
import { MIB } from '../../formats/sizes.ts';
import { isFlat, type Rating, type Results } from './results.ts';
import { MAX_COST } from './row.ts';

const mib = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
const times = (ratio: number) => ratio.toFixed(2);

/** The whole table, as text. @param before results to compare with */
export function resultsText(results: Results, before: Results | undefined): string {
  const parts = [
    `${results.ramMib} MiB of guest RAM, mixed pages; ${results.rounds} rounds; ` +
      'how many times as fast as another row of the same round\n',
    ratingsTable(results, before),
  ];
  if (results.scaling)
    parts.push(`two independent processes together do ${times(results.scaling.median)} × the work of one`);
  if (results.figures.length > 0) parts.push(figuresTable(results));
  if (results.sizes.some(({ bySize }) => bySize.length > 0)) parts.push(sizesTable(results));
  for (const [name, why] of Object.entries(results.missing)) parts.push(`not run: ${name}: ${why}`);
  return parts.join('\n');
}

function ratingsTable({ rows, ratings }: Results, before: Results | undefined): string {
  const table = plainTable([
    ...['row', 'ms', 'peak RSS', 'against', 'median', 'min', 'max', 'to reach', '', 'before', 'two processes'],
  ]);
  for (const { name, ms, rss } of rows) {
    const own = ratings.filter(({ row }) => row === name);
    const head = [name, ms.median < 10 ? ms.median.toFixed(2) : ms.median.toFixed(0), mib(rss)];
    if (own.length === 0) table.push([...head, '', '', '', '', '', '', '', '']);
    for (const [i, rating] of own.entries())
      table.push([...(i === 0 ? head : ['', '', '']), ...ratingCells(rating, before)]);
  }
  return table.toString();
}

function ratingCells(
  { row, against, median, min, max, atLeast, scaling }: Rating,
  before: Results | undefined,
): string[] {
  const earlier = before?.ratings.find((rating) => rating.row === row && rating.against === against);
  const target = atLeast === undefined ? ['', ''] : [times(atLeast), median >= atLeast ? 'reached' : 'MISSED'];
  return [
    against,
    times(median),
    times(min),
    times(max),
    ...target,
    earlier ? times(earlier.median) : '',
    scaling === undefined ? '' : times(scaling),
  ];
}

function figuresTable({ figures }: Results): string {
  const table = plainTable(['row', '', 'median', 'min', 'max', 'at most', '']);
  for (const { row, name, unit, median, min, max, atMost } of figures) {
    const [shown, least, most] = [median, min, max].map(
      (value) => `${value < 10 ? value.toFixed(2) : value.toFixed(0)} ${unit}`,
    );
    table.push([
      row,
      name,
      shown,
      least,
      most,
      ...(atMost === undefined ? ['', ''] : [`${atMost} ${unit}`, median <= atMost ? 'reached' : 'MISSED']),
    ]);
  }
  return table.toString();
}

function sizesTable({ sizes, ramMib }: Results): string {
  const rams = sizes[0].bySize.map(({ ramMib }) => ramMib);
  const table = plainTable(['peak RSS; cost per GiB', ...rams.map((ram) => `${ram} MiB RAM`), 'at most', '']);
  for (const size of sizes) {
    const cells = size.bySize.map(({ rss, cost }) => `${mib(rss)}; ${times(cost)}`);
    table.push([
      size.row,
      ...cells,
      `${size.limitMib} MiB; ${times(MAX_COST)}`,
      isFlat(size, ramMib) ? 'reached' : 'MISSED',
    ]);
  }
  return table.toString();
}

function plainTable(head: string[]): Table.Table {
  const lines = [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
  ];
  const chars = Object.fromEntries(
    [...lines, 'right', 'right-mid', 'middle'].map((name) => [name, name === 'middle' ? '  ' : '']),
  );
  return new Table({
    head,
    chars,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: ['left', 'right', 'right', 'left'],
  });
}
