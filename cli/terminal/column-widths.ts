/** Blanks between two columns. */
export const GAP = 2;

/**
 * Width of a column's widest cell, and of its longest word: no breaking of lines makes the column narrower than that.
 */
export interface ColumnNeeds {
  width: number;
  least: number;
}

/** @param rows without styles, the heading among them */
export function columnNeeds(rows: readonly (readonly string[])[]): ColumnNeeds[] {
  return rows[0].map((_, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    const longest = (texts: readonly string[]) => texts.reduce((most, { length }) => Math.max(most, length), 0);
    return { width: longest(cells), least: longest(cells.flatMap(unbroken)) };
  });
}

/** Pieces of a cell that are not broken. Two words are most often a figure and its unit, which stay together. */
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
 * Fits columns into `room`: the widest become narrower and wrap their text. If that is not enough, columns form several
 * groups, each with the first column.
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
