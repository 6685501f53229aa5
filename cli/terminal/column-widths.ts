/** Blanks between two columns. */
export const GAP = 2;

/** Of what a column holds: its widest cell, and the longest word of any, below which no breaking of lines gets it. */
export interface ColumnNeeds {
  width: number;
  least: number;
}

/** What columns need. @param cells without styles, the heads among them */
export function columnNeeds(rows: readonly (readonly string[])[]): ColumnNeeds[] {
  return rows[0].map((_, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    const longest = (texts: readonly string[]) => texts.reduce((most, { length }) => Math.max(most, length), 0);
    return { width: longest(cells), least: longest(cells.flatMap(unbroken)) };
  });
}

/** Two words are most often a figure and its unit. */
function unbroken(cell: string): string[] {
  const words = cell.split(' ');
  return words.length > 2 ? words : [cell];
}

/** Columns that stand side by side, with the width of each. */
export interface ColumnGroup {
  columns: number[];
  widths: number[];
}

/**
 * Lays columns out for `room`: the widest become narrower, their text goes on in further lines; else in several groups,
 * each with the first column.
 */
export function layOut(needs: readonly ColumnNeeds[], room: number): ColumnGroup[] {
  const all = needs.map((_, column) => column);
  const widths = narrowed(needs, room);
  if (total(widths) <= room) return [{ columns: all, widths }];
  const groups: number[][] = [[0]];
  for (const column of all.slice(1)) {
    const last = groups[groups.length - 1];
    const least = [...last, column].map((each) => needs[each].least);
    if (last.length > 1 && total(least) > room) groups.push([0, column]);
    else last.push(column);
  }
  return groups.map((columns) => ({
    columns,
    widths: narrowed(
      columns.map((column) => needs[column]),
      room,
    ),
  }));
}

function narrowed(needs: readonly ColumnNeeds[], room: number): number[] {
  const widths = needs.map(({ width }) => width);
  for (let excess = total(widths) - room; excess > 0; excess--) {
    const widest = widths.reduce(
      (most, width, column) => (width > needs[column].least && width > (widths[most] ?? 0) ? column : most),
      -1,
    );
    if (widest < 0) break;
    widths[widest]--;
  }
  return widths;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width + GAP, -GAP);
}
