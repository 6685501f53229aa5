import { describe, expect, it } from 'vitest';
import { table } from './table.ts';

/** Lines of a table on a terminal of so many columns. */
function linesOf(columns: number, ...[head, rows]: Parameters<typeof table>): string[] {
  return table(head, rows, columns).toString().split('\n');
}

describe('table()', () => {
  it('puts numbers to the right, and columns as close as they can be', () => {
    expect(
      linesOf(
        80,
        ['name', 'n', 'then'],
        [
          ['a', 1, 'x'],
          ['long name', 1000, undefined],
        ],
      ),
    ).toEqual(['  name          n  then', '  a             1  x', '  long name  1000']);
  });

  it('breaks long text where the terminal ends, and no figures', () => {
    const rows = [
      ['/MM/cbRamBase', 16_384_000, '15.6 MiB', 'size of the RAM of the machine, ballooned pages not counted'],
    ];
    expect(linesOf(60, ['name', 'value', 'so much', 'meaning'], rows)).toEqual([
      '  name              value  so much   meaning',
      '  /MM/cbRamBase  16384000  15.6 MiB  size of the RAM of the',
      '                                     machine, ballooned',
      '                                     pages not counted',
    ]);
  });

  it('shows columns one group below the other where they do not fit side by side', () => {
    const head = ['cpu', 'rip', 'rsp', 'cr3'];
    const rows = [[0, '0xffffffff8132bbd2', '0xffffc900005f3d58', '0x661a000']];
    expect(linesOf(50, head, rows)).toEqual([
      '  cpu  rip                 rsp',
      '    0  0xffffffff8132bbd2  0xffffc900005f3d58',
      '  cpu  cr3',
      '    0  0x661a000',
    ]);
  });

  it.each([20, 40, 80, 132])('fits a terminal of %i columns', (columns) => {
    const rows = Array.from({ length: 5 }, (_, i) => [
      i,
      `name ${i}`.repeat(i),
      10 ** i,
      'some words, and more of them',
      `0x${i}`,
    ]);
    for (const line of linesOf(columns, ['id', 'name', 'size', 'meaning', 'at'], rows))
      expect(line.length).toBeLessThanOrEqual(columns);
  });

  it('shows the first ten thousand rows of very many, all laid out alike, and says how many follow', () => {
    const lines = linesOf(
      80,
      ['n', 'what'],
      Array.from({ length: 10_007 }, (_, i) => [i, 'x']),
    );
    expect(lines.length).toBe(1 + 10_000 + 1);
    expect([lines[1], lines[300], lines[10_000]]).toEqual(['     0  x', '   299  x', '  9999  x']);
    expect(lines.at(-1)).toBe('  … and 7 more, which --json lists');
  });

  it('lays out simple rows as the library does, also between others', () => {
    const head = ['name', 'n', 'words'];
    const simple = [
      ['a', 1, 'x y'],
      ['bb', 20, '– ≥ 3'],
      ['', undefined, ''],
    ];
    const hard = ['漢字', 300, ' led'];
    const [first, ...lines] = linesOf(80, head, [...simple, hard, ...simple]);
    expect([first, ...lines]).toEqual([
      '  name    n  words',
      '  a       1  x y',
      '  bb     20  – ≥ 3',
      '',
      '  漢字  300   led',
      '  a       1  x y',
      '  bb     20  – ≥ 3',
      '',
    ]);
  });

  it('shows all on one line each where stdout is no terminal', () => {
    expect(linesOf(Number.POSITIVE_INFINITY, ['a', 'b'], [['x'.repeat(100), 'y'.repeat(100)]])).toHaveLength(2);
  });
});
